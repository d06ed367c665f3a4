//! Which curves are flat, and why the others are not.

use super::{Curve, Panel};
use crate::words::wrapped;

/// The largest figure of a flat curve, as a multiple of its smallest.
const FLAT: f64 = 1.5;

/// A sentence for all curves that are flat, and an item for each one that is not.
pub fn verdict(panels: &[Panel]) -> String {
    let curves = || panels.iter().flat_map(|panel| panel.curves.iter().map(move |curve| (panel, curve)));
    let is_flat = |curve: &Curve| curve.spread() <= FLAT;
    let flat: Vec<_> = curves().filter(|(_, curve)| is_flat(curve)).map(named).collect();
    let mut text = String::new();
    if !flat.is_empty() {
        text += &wrapped(&format!("Flat, the largest figure within {FLAT} of the smallest: {}.", flat.join("; ")), "");
    }
    let growing: Vec<_> = curves().filter(|(_, curve)| !is_flat(curve)).collect();
    if !growing.is_empty() {
        text += "\nNot flat:\n\n";
    }
    for (panel, curve) in growing {
        let item = format!("- {}: {:.1} times. {}", named((panel, curve)), curve.spread(), curve.why);
        text += &wrapped(&item, "  ");
    }
    text
}

fn named((panel, curve): (&Panel, &Curve)) -> String {
    format!("{}, over {}", curve.name, panel.title)
}

#[cfg(test)]
mod tests {
    use super::super::{Curve, Panel};
    use super::verdict;

    fn panel(title: &'static str, spreads: &[(&'static str, f64)]) -> Panel {
        let curve = |&(name, spread)| Curve { name, points: vec![(1, 10.0), (2, 10.0 * spread)], why: "Lines." };
        Panel { title, curves: spreads.iter().map(curve).collect() }
    }

    #[test]
    fn what_is_not_flat_is_said() {
        let panels = [panel("GiB", &[("pair", 1.0), ("batch", 1.5)]), panel("caches", &[("create", 1.6)])];
        let text = verdict(&panels);
        let flat = "Flat, the largest figure within 1.5 of the smallest: pair, over GiB; batch, over GiB.\n";
        assert_eq!(text, format!("{flat}\nNot flat:\n\n- create, over caches: 1.6 times. Lines.\n"));
        assert_eq!(verdict(&panels[..1]), flat);
    }
}
