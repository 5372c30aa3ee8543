//! The calls of HiveServer2 and Beeswax, and what of them matters on the way.
//! Source: docs/impala.md, "HiveServer2 calls" and "Beeswax".

/// Which service a port has. Some names mean different calls in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Hs2,
    Beeswax,
}

/// What a call names so that its coordinator can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Nothing,
    /// HiveServer2: a session handle in field 1.1.
    Session,
    /// HiveServer2: an operation handle in field 1.1.
    Operation,
    /// HiveServer2: an operation handle in field 1.1 and its session's in 1.2.
    OperationAndSession,
    /// Beeswax: a query handle in field 1.
    Query,
    /// Beeswax: the text of a query's id in field 1.
    QueryId,
    /// Not known; looked for where HiveServer2 has handles.
    Unknown,
}

macro_rules! methods {
    ($($dialect:ident $variant:ident $names:ident,)*) => {
        /// A method by its name in its dialect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(non_camel_case_types, reason = "they are spelled as on the wire")]
        pub enum Method {
            $($variant,)*
            Unknown,
        }

        const METHODS: &[(Dialect, &str, Method, Names)] = &[
            $((Dialect::$dialect, stringify!($variant), Method::$variant, Names::$names),)*
        ];
    };
}

methods! {
    Hs2 OpenSession Nothing,
    Hs2 CloseSession Session,
    Hs2 GetInfo Session,
    Hs2 ExecuteStatement Session,
    Hs2 GetTypeInfo Session,
    Hs2 GetCatalogs Session,
    Hs2 GetSchemas Session,
    Hs2 GetTables Session,
    Hs2 GetTableTypes Session,
    Hs2 GetColumns Session,
    Hs2 GetFunctions Session,
    Hs2 GetPrimaryKeys Session,
    Hs2 GetCrossReference Session,
    Hs2 GetOperationStatus Operation,
    Hs2 CancelOperation Operation,
    Hs2 CloseOperation Operation,
    Hs2 GetResultSetMetadata Operation,
    Hs2 FetchResults Operation,
    Hs2 GetLog Operation,
    Hs2 GetQueryId Operation,
    Hs2 GetDelegationToken Session,
    Hs2 CancelDelegationToken Session,
    Hs2 RenewDelegationToken Session,
    Hs2 GetExecSummary OperationAndSession,
    Hs2 GetRuntimeProfile OperationAndSession,
    Hs2 PingImpalaHS2Service Session,
    Hs2 CloseImpalaOperation Operation,
    Hs2 SetClientInfo Session,
    Beeswax query Nothing,
    Beeswax executeAndWait Nothing,
    Beeswax explain Nothing,
    Beeswax fetch Query,
    Beeswax get_state Query,
    Beeswax get_results_metadata Query,
    Beeswax get_log QueryId,
    Beeswax close Query,
    Beeswax clean QueryId,
    Beeswax echo Nothing,
    Beeswax dump_config Nothing,
    Beeswax get_default_configuration Nothing,
    Beeswax Cancel Query,
    Beeswax CloseInsert Query,
    Beeswax PingImpalaService Nothing,
    Beeswax ResetCatalog Nothing,
    Beeswax ResetTable Nothing,
}

impl Method {
    pub fn of(name: &[u8], dialect: Dialect) -> Self {
        // The two names that both services have.
        if dialect == Dialect::Beeswax {
            match name {
                b"GetExecSummary" => return Self::GetExecSummary,
                b"GetRuntimeProfile" => return Self::GetRuntimeProfile,
                _ => {}
            }
        }
        let known = METHODS.iter().find(|(d, known, ..)| *d == dialect && known.as_bytes() == name);
        known.map_or(Self::Unknown, |(_, _, method, _)| *method)
    }

    /// `None` for an unknown one.
    pub fn name(self) -> Option<&'static str> {
        METHODS.iter().find(|(_, _, method, _)| *method == self).map(|(_, name, ..)| *name)
    }

    pub fn names(self, dialect: Dialect) -> Names {
        if dialect == Dialect::Beeswax
            && matches!(self, Self::GetExecSummary | Self::GetRuntimeProfile)
        {
            return Names::Query;
        }
        let known = METHODS.iter().find(|(_, _, method, _)| *method == self);
        known.map_or(Names::Unknown, |(.., names)| *names)
    }

    /// It makes an operation, whose handle its reply tells.
    pub fn makes_operation(self) -> bool {
        matches!(
            self,
            Self::ExecuteStatement
                | Self::GetTypeInfo
                | Self::GetCatalogs
                | Self::GetSchemas
                | Self::GetTables
                | Self::GetTableTypes
                | Self::GetColumns
                | Self::GetFunctions
                | Self::GetPrimaryKeys
                | Self::GetCrossReference
                | Self::query
                | Self::executeAndWait
        )
    }

    pub fn closes_operation(self) -> bool {
        matches!(
            self,
            Self::CloseOperation | Self::CloseImpalaOperation | Self::close | Self::CloseInsert
        )
    }

    /// HiveServer2: what clients call until an operation is over.
    pub fn asks_for_progress(self) -> bool {
        matches!(self, Self::GetOperationStatus | Self::FetchResults)
    }

    /// Asking the same coordinator twice is as good as once.
    pub fn may_be_repeated(self) -> bool {
        matches!(
            self,
            Self::GetInfo
                | Self::GetOperationStatus
                | Self::GetResultSetMetadata
                | Self::GetLog
                | Self::GetQueryId
                | Self::GetExecSummary
                | Self::GetRuntimeProfile
                | Self::PingImpalaHS2Service
                | Self::CancelOperation
                | Self::get_state
                | Self::get_results_metadata
                | Self::get_log
                | Self::get_default_configuration
                | Self::Cancel
                | Self::PingImpalaService
        )
    }
}
