//! Dates of the calendar, and seconds since 1970.

/// A moment as a clock of the machine has it, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date {
    /// The year, from 1970 on.
    pub year: u32,
    /// From 1 to 12.
    pub month: u32,
    /// From 1 to 31.
    pub day: u32,
    /// From 0 to 23.
    pub hour: u32,
    /// From 0 to 59.
    pub minute: u32,
    /// From 0 to 59.
    pub second: u32,
}

/// Days before each month of a year that has no 29th of February.
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Date {
    /// Seconds since the start of 1970; `None` for what is no date.
    pub fn since_1970(self) -> Option<u64> {
        let is_date = self.year >= 1970
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        if !is_date {
            return None;
        }
        // Leap days of the years before this one, and this one's, once it is over.
        let past = u64::from(if self.month > 2 { self.year } else { self.year - 1 });
        let leap_days = past / 4 - past / 100 + past / 400 - LEAP_DAYS_BEFORE_1970;
        let days = u64::from(self.year - 1970) * 365
            + leap_days
            + u64::from(DAYS_BEFORE[self.month as usize - 1] + self.day - 1);
        Some(((days * 24 + u64::from(self.hour)) * 60 + u64::from(self.minute)) * 60 + u64::from(self.second))
    }
}

/// Leap days up to the end of 1969.
const LEAP_DAYS_BEFORE_1970: u64 = 1969 / 4 - 1969 / 100 + 1969 / 400;

#[cfg(test)]
mod tests {
    use super::Date;

    fn seconds(year: u32, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<u64> {
        Date { year, month, day, hour, minute, second }.since_1970()
    }

    #[test]
    fn dates_are_counted_as_in_unix() {
        assert_eq!(seconds(1970, 1, 1, 0, 0, 0), Some(0));
        assert_eq!(seconds(2000, 2, 29, 0, 0, 0), Some(951_782_400));
        assert_eq!(seconds(2000, 3, 1, 0, 0, 0), Some(951_868_800));
        assert_eq!(seconds(2001, 9, 9, 1, 46, 40), Some(1_000_000_000));
        assert_eq!(seconds(2026, 1, 1, 0, 0, 0), Some(1_767_225_600));
        assert_eq!(seconds(2099, 12, 31, 23, 59, 59), Some(4_102_444_799));
    }

    #[test]
    fn nonsense_is_no_date() {
        assert_eq!(seconds(2026, 13, 1, 0, 0, 0), None);
        assert_eq!(seconds(2026, 0, 1, 0, 0, 0), None);
        assert_eq!(seconds(2026, 1, 1, 24, 0, 0), None);
        assert_eq!(seconds(1969, 1, 1, 0, 0, 0), None);
    }
}
