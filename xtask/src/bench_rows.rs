//! The lines that the command `bench` prints.
//!
//! They are `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`.

/// A row's name, and the median.
pub type Row<'a> = (&'a str, f64);

/// Reads `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`, behind the time in brackets that Linux's log has.
pub fn row(line: &str) -> Option<Row<'_>> {
    let line = line.trim();
    let line = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(line, |(_, message)| message);
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["bench", name, median, _mean, _min, _max, _ops, _rounds] => Some((name, median.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn rows_of_both_kernels_are_read() {
        assert_eq!(row("bench kmalloc_kernel_8 70.25 71.00 70.00 90.10 10000 21"), Some(("kmalloc_kernel_8", 70.25)));
        assert_eq!(row("[    1.234567] bench a 1.00 1.00 1.00 1.00 1 1\r"), Some(("a", 1.0)));
        assert_eq!(row("bench a failed: Cannot allocate memory"), None);
        assert_eq!(row("# bench"), None);
    }
}
