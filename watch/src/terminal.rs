//! The terminal: taken over, and given back however that ends.

use std::io::{self, Stdout};
use std::panic;

use anyhow::{Context, Result};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

/// A terminal whose screen and keys are this program's while the value lives.
pub struct TakenOver {
    /// What draws on it.
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl TakenOver {
    /// Takes standard output's terminal over. A panic gives it back before it says what happened.
    ///
    /// # Errors
    /// It is none.
    pub fn new() -> Result<Self> {
        enable_raw_mode().context("the terminal takes no raw mode")?;
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            give_back();
            before(about);
        }));
        let started = execute!(io::stdout(), EnterAlternateScreen);
        let terminal = started.and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error).context("the terminal cannot be drawn on")
            }
        }
    }
}

impl Drop for TakenOver {
    fn drop(&mut self) {
        give_back();
    }
}

/// Nothing more can be done where that fails: the terminal is gone.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
