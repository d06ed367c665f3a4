//! The figures in Markdown, a table a panel.

use super::Panel;
use crate::table::align;

/// All tables; the last column says how far a curve is from flat.
pub fn render(panels: &[Panel]) -> String {
    panels.iter().map(|panel| format!("\n{}", of_panel(panel))).collect()
}

fn of_panel(panel: &Panel) -> String {
    let sizes = panel.sizes();
    let mut lines = vec![vec![panel.title.to_owned()]];
    lines[0].extend(sizes.iter().map(ToString::to_string));
    lines[0].push("largest / smallest".to_owned());
    for curve in &panel.curves {
        let mut cells = vec![curve.name.to_owned()];
        cells.extend(sizes.iter().map(|size| {
            let point = curve.points.iter().find(|point| point.0 == *size);
            point.map_or("-".to_owned(), |(_, ticks)| format!("{ticks:.1}"))
        }));
        cells.push(format!("{:.2}", curve.spread()));
        lines.push(cells);
    }
    align(&lines)
}
