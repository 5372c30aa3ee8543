//! Column types: Impala's names and numbers for what SQLite declares or returns.

/// The type of a result column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    String,
    Timestamp,
    Date,
    Decimal { precision: u8, scale: u8 },
    Varchar(u32),
    Char(u32),
}

/// A result column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnInfo {
    pub(crate) name: String,
    pub(crate) kind: Type,
}

impl ColumnInfo {
    pub(crate) fn new(name: impl Into<String>, kind: Type) -> Self {
        Self { name: name.into(), kind }
    }
}

impl Type {
    /// `TTypeId` of HiveServer2.
    pub(crate) fn hs2_id(self) -> i32 {
        match self {
            Type::Boolean => 0,
            Type::TinyInt => 1,
            Type::SmallInt => 2,
            Type::Int => 3,
            Type::BigInt => 4,
            Type::Float => 5,
            Type::Double => 6,
            Type::String => 7,
            Type::Timestamp => 8,
            Type::Decimal { .. } => 15,
            Type::Date => 17,
            Type::Varchar(_) => 18,
            Type::Char(_) => 19,
        }
    }

    /// `java.sql.Types`, as GetColumns and GetTypeInfo report it.
    pub(crate) fn jdbc_id(self) -> i32 {
        match self {
            Type::Boolean => 16,
            Type::TinyInt => -6,
            Type::SmallInt => 5,
            Type::Int => 4,
            Type::BigInt => -5,
            Type::Float => 6,
            Type::Double => 8,
            Type::String | Type::Varchar(_) => 12,
            Type::Timestamp => 93,
            Type::Date => 91,
            Type::Decimal { .. } => 3,
            Type::Char(_) => 1,
        }
    }

    /// The name in SQL, lower case as DESCRIBE prints it.
    pub(crate) fn sql_name(self) -> String {
        match self {
            Type::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Type::Varchar(n) => format!("varchar({n})"),
            Type::Char(n) => format!("char({n})"),
            other => other.base_name().to_owned(),
        }
    }

    /// The name without parameters.
    pub(crate) fn base_name(self) -> &'static str {
        match self {
            Type::Boolean => "boolean",
            Type::TinyInt => "tinyint",
            Type::SmallInt => "smallint",
            Type::Int => "int",
            Type::BigInt => "bigint",
            Type::Float => "float",
            Type::Double => "double",
            Type::String => "string",
            Type::Timestamp => "timestamp",
            Type::Date => "date",
            Type::Decimal { .. } => "decimal",
            Type::Varchar(_) => "varchar",
            Type::Char(_) => "char",
        }
    }

    /// The type of a table column from the text of its declaration; `None` when SQLite knows none.
    pub(crate) fn from_declaration(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (name, parameters) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches(')')),
            None => (text.as_str(), ""),
        };
        let mut numbers = parameters.split(',').map(|p| p.trim().parse::<u32>().ok());
        Some(match name {
            "boolean" | "bool" => Type::Boolean,
            "tinyint" => Type::TinyInt,
            "smallint" => Type::SmallInt,
            "int" => Type::Int,
            // SQLite's own word, which is 64 bits wide there.
            "bigint" | "integer" => Type::BigInt,
            "float" => Type::Float,
            "double" | "real" | "double precision" => Type::Double,
            // STRING columns are declared TEXT, see `translate`.
            "string" | "text" | "clob" | "blob" => Type::String,
            "timestamp" | "datetime" => Type::Timestamp,
            "date" => Type::Date,
            "decimal" | "numeric" => {
                let precision = numbers.next().flatten().map_or(9, |p| p.clamp(1, 38)) as u8;
                let scale = numbers.next().flatten().unwrap_or(0).min(38) as u8;
                Type::Decimal { precision, scale }
            }
            "varchar" => Type::Varchar(numbers.next().flatten().unwrap_or(65535)),
            "char" => Type::Char(numbers.next().flatten().unwrap_or(1)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(declared: &str, name: &str, hs2: i32) {
        let kind = Type::from_declaration(declared).unwrap();
        assert_eq!((kind.sql_name().as_str(), kind.hs2_id()), (name, hs2), "{declared}");
    }

    #[test]
    fn maps_declared_types() {
        check("INT", "int", 3);
        check("INTEGER", "bigint", 4);
        check("text", "string", 7);
        check("DECIMAL(10, 2)", "decimal(10,2)", 15);
        check("decimal", "decimal(9,0)", 15);
        check("VARCHAR(20)", "varchar(20)", 18);
        check("TIMESTAMP", "timestamp", 8);
        check("bool", "boolean", 0);
        assert_eq!(Type::from_declaration(""), None);
    }
}
