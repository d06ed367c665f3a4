//! Interrupt lines of the host, raised by the test.

use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use super::running::{Running, Turn, hold};
use super::world::{in_interrupt, log, world};
use crate::errno::Errno;
use crate::interrupt::{Interrupt, IrqLine, IrqReturn, Sharing};

/// How many lines a machine has.
const LINES: u8 = 16;
/// The most handlers that share a line.
const MAX_SHARERS: usize = 8;
/// Interrupts in a row that nobody handled, after which a line is held back.
const TOO_MANY: u32 = 1000;

/// A machine's lines.
#[derive(Default)]
struct Lines(Mutex<[Line; LINES as usize]>);

#[derive(Default)]
struct Line {
    actions: Vec<Arc<Action>>,
    unhandled: u32,
}

struct Action {
    name: &'static str,
    sharing: Sharing,
    running: Running,
    handler: Box<dyn Fn() -> IrqReturn + Send + Sync>,
}

/// A handler on a line.
pub struct HostInterrupt {
    lines: Arc<Lines>,
    line: IrqLine,
    action: Arc<Action>,
}

impl Interrupt for HostInterrupt {
    fn request(
        line: IrqLine,
        sharing: Sharing,
        name: &'static str,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<Self, Errno> {
        let all = world().part::<Lines>();
        let action = Arc::new(Action { name, sharing, running: Running::default(), handler: Box::new(handler) });
        let mut lines = hold(&all.0);
        let slot = lines.get_mut(usize::from(line.0)).ok_or(Errno::EINVAL)?;
        let is_shared = |sharing| sharing == Sharing::Shared;
        let agreed = slot.actions.iter().all(|other| is_shared(sharing) && is_shared(other.sharing));
        if !agreed || slot.actions.len() == MAX_SHARERS {
            return Err(Errno::EBUSY);
        }
        slot.actions.push(action.clone());
        slot.unhandled = 0;
        drop(lines);
        Ok(Self { lines: all, line, action })
    }
}

impl Drop for HostInterrupt {
    fn drop(&mut self) {
        let mut lines = hold(&self.lines.0);
        let slot = &mut lines[usize::from(self.line.0)];
        slot.actions.retain(|action| !Arc::ptr_eq(action, &self.action));
        slot.unhandled = 0;
        drop(lines);
        self.action.running.wait();
    }
}

/// Raises an interrupt: calls the line's handlers in interrupt context, and says whether one of them handled it. On a
/// line that is held back nothing happens.
pub fn raise(line: IrqLine) -> IrqReturn {
    let lines = world().part::<Lines>();
    let Some(actions) = lines.begin(line) else { return IrqReturn::NotMine };
    let mut handled = IrqReturn::NotMine;
    in_interrupt(|| {
        for action in &actions {
            let Turn::Mine(_turn) = action.running.begin() else { continue };
            if (action.handler)() == IrqReturn::Handled {
                handled = IrqReturn::Handled;
            }
        }
    });
    if lines.end(line, handled) == TOO_MANY {
        let names: Vec<_> = actions.iter().map(|action| action.name).collect();
        log(stuck(line, &names.join(", ")));
    }
    handled
}

/// What the log says of a line on which nobody handled [`TOO_MANY`] interrupts.
fn stuck(line: IrqLine, names: &str) -> String {
    let names = if names.is_empty() { "no handler" } else { names };
    format!("irq {}: nobody handled {TOO_MANY} interrupts in a row, held back ({names})", line.0)
}

impl Lines {
    /// The handlers to call, unless the line is held back.
    fn begin(&self, line: IrqLine) -> Option<Vec<Arc<Action>>> {
        let lines = hold(&self.0);
        let slot = lines.get(usize::from(line.0))?;
        (slot.unhandled < TOO_MANY).then(|| slot.actions.clone())
    }

    /// Counts an interrupt, and says how many were not handled in a row.
    fn end(&self, line: IrqLine, handled: IrqReturn) -> u32 {
        let mut lines = hold(&self.0);
        let slot = &mut lines[usize::from(line.0)];
        slot.unhandled = if handled == IrqReturn::Handled { 0 } else { slot.unhandled + 1 };
        slot.unhandled
    }
}
