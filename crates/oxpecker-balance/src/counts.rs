//! Connections counted per member, node and pool: open now, most at once, ever.

/// The counters of one member, node or pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub open: u32,
    /// The most that were open at once since the last reset.
    pub open_max: u32,
    /// Chosen since the last reset, including those whose connect then failed.
    pub total: u64,
    /// Chosen ever; no reset touches it.
    pub total_ever: u64,
}

impl Counts {
    pub(crate) fn opened(&mut self) {
        self.open += 1;
        self.open_max = self.open_max.max(self.open);
        self.total += 1;
        self.total_ever += 1;
    }

    pub(crate) fn closed(&mut self) {
        debug_assert!(self.open > 0, "released more often than chosen");
        // In release builds such a bug must not wrap a count to four billion "open" connections.
        self.open = self.open.saturating_sub(1);
    }

    pub(crate) fn forget_peak(&mut self) {
        self.open_max = self.open;
    }

    /// Forgets peak and total; what is open stays open.
    pub(crate) fn reset(&mut self) {
        self.open_max = self.open;
        self.total = 0;
    }
}
