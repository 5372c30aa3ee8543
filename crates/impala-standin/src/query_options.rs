//! Query options: names, defaults and levels, as `SET ALL` lists them. Most of them change nothing
//! here.

use Level::{Advanced, Deprecated, Development, Regular};

/// One option of Impala.
pub(crate) struct QueryOption {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) level: Level,
}

/// Who is meant to use an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Regular,
    Advanced,
    Development,
    Deprecated,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Regular => "REGULAR",
            Advanced => "ADVANCED",
            Development => "DEVELOPMENT",
            Deprecated => "DEPRECATED",
        }
    }

    /// `ConfigVariable.level` of Beeswax: TQueryOptionLevel.
    pub(crate) fn number(self) -> i32 {
        match self {
            Regular => 0,
            Advanced => 1,
            Development => 2,
            Deprecated => 3,
        }
    }
}

const fn option(name: &'static str, default: &'static str, level: Level) -> QueryOption {
    QueryOption { name, default, level }
}

/// A good part of Impala's list, in alphabetical order.
pub(crate) const ALL: &[QueryOption] = &[
    option("ABORT_JAVA_UDF_ON_EXCEPTION", "0", Advanced),
    option("ABORT_ON_ERROR", "0", Regular),
    option("ALLOW_UNSUPPORTED_FORMATS", "0", Deprecated),
    option("APPX_COUNT_DISTINCT", "0", Advanced),
    option("BATCH_SIZE", "0", Development),
    option("CLIENT_IDENTIFIER", "", Advanced),
    option("COMPRESSION_CODEC", "", Regular),
    option("COMPUTE_STATS_MIN_SAMPLE_SIZE", "1073741824", Advanced),
    option("DEBUG_ACTION", "", Development),
    option("DECIMAL_V2", "1", Advanced),
    option("DEFAULT_FILE_FORMAT", "TEXT", Regular),
    option("DISABLE_CODEGEN", "0", Advanced),
    option("ENABLED_RUNTIME_FILTER_TYPES", "ALL", Advanced),
    option("ENABLE_ASYNC_DDL_EXECUTION", "1", Advanced),
    option("EXEC_TIME_LIMIT_S", "0", Regular),
    option("EXPLAIN_LEVEL", "STANDARD", Regular),
    option("FETCH_ROWS_TIMEOUT_MS", "10000", Advanced),
    option("IDLE_SESSION_TIMEOUT", "0", Regular),
    option("LONG_POLLING_TIME_MS", "0", Advanced),
    option("MAX_ERRORS", "100", Advanced),
    option("MAX_ROW_SIZE", "524288", Regular),
    option("MEM_LIMIT", "0", Regular),
    option("MT_DOP", "", Regular),
    option("NUM_NODES", "0", Development),
    option("NUM_ROWS_PRODUCED_LIMIT", "0", Regular),
    option("QUERY_TIMEOUT_S", "0", Regular),
    option("REQUEST_POOL", "", Regular),
    option("RETRY_FAILED_QUERIES", "0", Regular),
    option("RUNTIME_FILTER_MODE", "GLOBAL", Regular),
    option("RUNTIME_FILTER_WAIT_TIME_MS", "0", Advanced),
    option("SCRATCH_LIMIT", "-1", Regular),
    option("SPOOL_QUERY_RESULTS", "1", Advanced),
    option("SYNC_DDL", "0", Regular),
    option("THREAD_RESERVATION_LIMIT", "3000", Regular),
    option("TIMEZONE", "UTC", Regular),
];

/// The values a session has set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    changed: Vec<(&'static str, String)>,
}

impl Settings {
    /// Sets an option; an empty value brings back the default. The error is Impala's text.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let option = ALL.iter().find(|option| option.name.eq_ignore_ascii_case(name));
        let Some(option) = option else {
            return Err(format!("Invalid query option: {}\n", name.to_ascii_uppercase()));
        };
        let number = !option.default.is_empty() && option.default.parse::<i64>().is_ok();
        let flag = ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word));
        let size =
            value.trim_end_matches(|c: char| "kmgtbKMGTB%".contains(c)).parse::<f64>().is_ok();
        if number && !value.is_empty() && !flag && !size {
            return Err(format!("Invalid value for query option {}: '{value}'\n", option.name));
        }
        self.changed.retain(|(known, _)| *known != option.name);
        if !value.is_empty() {
            self.changed.push((option.name, value.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn get<'a>(&'a self, option: &'a QueryOption) -> &'a str {
        let changed = self.changed.iter().find(|(name, _)| *name == option.name);
        changed.map_or(option.default, |(_, value)| value)
    }

    /// An option that is a whole number; 0 when it is not.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let option = ALL.iter().find(|option| option.name == name);
        option.and_then(|option| self.get(option).parse().ok()).unwrap_or(0)
    }

    /// Names and values of all options.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        ALL.iter().map(|option| (option.name.to_owned(), self.get(option).to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_known_options_only() {
        let mut settings = Settings::default();
        settings.set("mem_limit", "2g").unwrap();
        assert!(settings.pairs().contains(&("MEM_LIMIT".into(), "2g".into())));
        settings.set("MEM_LIMIT", "").unwrap();
        assert!(settings.pairs().contains(&("MEM_LIMIT".into(), "0".into())));
        assert_eq!(settings.set("nonsense", "1"), Err("Invalid query option: NONSENSE\n".into()));
        assert!(settings.set("idle_session_timeout", "soon").is_err());
        assert!(settings.set("sync_ddl", "true").is_ok());
        assert_eq!(settings.number("FETCH_ROWS_TIMEOUT_MS"), 10_000);
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
