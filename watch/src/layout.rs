//! Where a frame is drawn: in tiles of 2 MiB.
//!
//! Each is a Z, so that every block is a rectangle.

/// Frames of a tile: the largest block.
pub const TILE_FRAMES: usize = 512;
/// Log2 of them.
const TILE_LOG: u32 = 9;
/// Largest log2 of the frames of a point.
const POINT_LOG_MAX: u32 = 20;

/// Where the frames of a memory lie on a surface of points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Log2 of the frames that a point stands for.
    pub point_log: u32,
    /// Points of a tile.
    tile: (usize, usize),
    /// Points between tiles.
    gap: usize,
    /// Tiles in a row; with more frames a point than a tile has, points in a row.
    per_row: usize,
    /// Frames.
    frames: usize,
    /// The first frame that is shown.
    start: usize,
}

impl Layout {
    /// The largest picture of all frames that `width` by `height` points have room for.
    pub fn fitting(frames: usize, width: usize, height: usize) -> Self {
        let fits = |log: &u32| Self::new(frames, 0, *log, width).rows_needed() <= height;
        let log = (0..POINT_LOG_MAX).find(fits).unwrap_or(POINT_LOG_MAX);
        Self::new(frames, 0, log, width)
    }

    /// A picture of the frames from that of `start` on, with 2^`point_log` frames a point.
    pub fn new(frames: usize, start: usize, point_log: u32, width: usize) -> Self {
        // Points halve in number by turns: side by side, one above the other.
        let log = point_log.min(TILE_LOG);
        let tile = (1 << (5 - log.div_ceil(2)), 1 << (4 - log / 2));
        let gap = usize::from(point_log <= 5);
        let per_row = ((width + gap) / (tile.0 + gap)).max(1);
        let tile_frames = TILE_FRAMES.max(1 << point_log);
        Self { point_log, tile, gap, per_row, frames, start: start / tile_frames * tile_frames }
    }

    /// Frames of a tile: more than 512 where a point stands for more.
    fn tile_frames(&self) -> usize {
        TILE_FRAMES.max(1 << self.point_log)
    }

    /// Points that all rows need, one above the other.
    pub fn rows_needed(&self) -> usize {
        let tiles = self.frames.saturating_sub(self.start).div_ceil(self.tile_frames());
        let rows = tiles.div_ceil(self.per_row);
        (rows * (self.tile.1 + self.row_gap())).saturating_sub(self.row_gap())
    }

    /// Points that all columns need.
    pub fn columns_needed(&self) -> usize {
        let tiles = self.frames.saturating_sub(self.start).div_ceil(self.tile_frames()).min(self.per_row);
        (tiles * (self.tile.0 + self.gap)).saturating_sub(self.gap)
    }

    /// Points between rows of tiles: two, as a character shows two.
    fn row_gap(&self) -> usize {
        if self.point_log <= 1 { self.gap * 2 } else { 0 }
    }

    /// The frames of the point at `x`, `y`: the first, and how many. `None` between tiles and behind the last.
    pub fn frames_at(&self, x: usize, y: usize) -> Option<(usize, usize)> {
        let (wide, high) = (self.tile.0 + self.gap, self.tile.1 + self.row_gap());
        let (column, row) = (x / wide, y / high);
        let (inner_x, inner_y) = (x % wide, y % high);
        if column >= self.per_row || inner_x >= self.tile.0 || inner_y >= self.tile.1 {
            return None;
        }
        let first = self.start + (row * self.per_row + column) * self.tile_frames();
        // Which coordinate the lowest bit of a point's number belongs to goes by what was left out.
        let is_across_first = self.point_log.min(TILE_LOG).is_multiple_of(2);
        let frame = first + (interleaved(inner_x, inner_y, is_across_first) << self.point_log);
        (frame < self.frames).then(|| (frame, (1 << self.point_log).min(self.frames - frame)))
    }

    /// The point at which a frame is drawn.
    pub fn point_of(&self, frame: usize) -> Option<(usize, usize)> {
        let from_start = frame.checked_sub(self.start).filter(|_| frame < self.frames)?;
        let (tile, inner) = (from_start / self.tile_frames(), from_start % self.tile_frames());
        let number = inner >> self.point_log;
        let across_first = usize::from(!self.point_log.min(TILE_LOG).is_multiple_of(2));
        let (mut x, mut y) = (0, 0);
        for bit in 0..TILE_LOG as usize {
            let value = number >> bit & 1;
            if (bit + across_first).is_multiple_of(2) {
                x |= value << ((bit + across_first) / 2);
            } else {
                y |= value << (bit / 2);
            }
        }
        if across_first == 1 {
            x >>= 1;
        }
        let (column, row) = (tile % self.per_row, tile / self.per_row);
        Some((column * (self.tile.0 + self.gap) + x, row * (self.tile.1 + self.row_gap()) + y))
    }
}

/// The number of a point in its tile: the bits of its coordinates in turn.
fn interleaved(x: usize, y: usize, is_across_first: bool) -> usize {
    let (low, high) = if is_across_first { (x, y) } else { (y, x) };
    (0..TILE_LOG as usize).fold(0, |number, bit| {
        let source = if bit % 2 == 0 { low } else { high };
        number | (source >> (bit / 2) & 1) << bit
    })
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn every_frame_has_a_point_of_its_own_that_leads_back() {
        for log in 0..12 {
            let layout = Layout::new(5000, 0, log, 70);
            for frame in 0..5000 {
                let (x, y) = layout.point_of(frame).expect("a point");
                let (first, count) = layout.frames_at(x, y).expect("frames");
                assert!((first..first + count).contains(&frame), "{log}: {frame} at {x},{y}: {first} {count}");
            }
        }
    }

    #[test]
    fn an_aligned_block_is_a_filled_rectangle() {
        let layout = Layout::new(1 << 12, 0, 0, 200);
        for order in 0..10 {
            for block in 0..(1 << 12) >> order {
                let points =
                    (block << order..(block + 1) << order).map(|frame| layout.point_of(frame).expect("a point"));
                let (xs, ys): (Vec<_>, Vec<_>) = points.unzip();
                let side = |side: &[usize]| side.iter().max().unwrap_or(&0) - side.iter().min().unwrap_or(&0) + 1;
                assert_eq!(side(&xs) * side(&ys), 1 << order, "block {block} of order {order}");
            }
        }
    }

    #[test]
    fn all_sizes_of_memory_fit_a_small_screen() {
        for mib in [24, 64, 128, 512, 1024, 4096, 16384] {
            let layout = Layout::fitting(mib * 256, 50, 22);
            assert!(layout.rows_needed() <= 22 && layout.columns_needed() <= 50, "{mib}: {layout:?}");
            assert!(layout.point_of(mib * 256 - 1).is_some());
        }
    }
}
