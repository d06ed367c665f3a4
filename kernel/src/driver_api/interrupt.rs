//! Handlers of drivers on interrupt lines.

use kapi::{Errno, IrqLine, IrqReturn, Sharing};

use crate::irq::{self, Irq, IrqAction};
use crate::sched::may_sleep;

/// A handler on a line.
pub struct Interrupt {
    _action: IrqAction,
}

impl kapi::Interrupt for Interrupt {
    fn request(
        line: IrqLine,
        sharing: Sharing,
        name: &'static str,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<Self, Errno> {
        may_sleep("Interrupt::request")?;
        let irq = Irq::new(line.0).ok_or(Errno::EINVAL)?;
        Ok(Self { _action: irq::request_irq(irq, sharing, name, move |_| handler())? })
    }
}
