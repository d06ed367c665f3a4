//! How large the terminal is: Linux's `struct winsize`.

/// The size of a window; 0 where nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
    /// Dots across.
    pub width: u16,
    /// Dots down.
    pub height: u16,
}

impl Window {
    /// Bytes of a `struct winsize`.
    pub const BYTES: usize = 8;

    /// From what a program gives.
    pub const fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            rows: u16::from_le_bytes([a, b]),
            columns: u16::from_le_bytes([c, d]),
            width: u16::from_le_bytes([e, f]),
            height: u16::from_le_bytes([g, h]),
        }
    }

    /// As a program sees it.
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        let ([a, b], [c, d]) = (self.rows.to_le_bytes(), self.columns.to_le_bytes());
        let ([e, f], [g, h]) = (self.width.to_le_bytes(), self.height.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use linux_raw_sys::general::winsize;

    use super::Window;

    #[test]
    fn layout_is_that_of_linux() {
        assert_eq!((size_of::<winsize>(), offset_of!(winsize, ws_col)), (Window::BYTES, 2));
        let window = Window { rows: 24, columns: 80, width: 3, height: 4 };
        assert_eq!(window.to_bytes(), [24, 0, 80, 0, 3, 0, 4, 0]);
        assert_eq!(Window::from_bytes(&window.to_bytes()), window);
    }
}
