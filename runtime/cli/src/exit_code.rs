//! The exit codes of the command. This is the only place that assigns them.

use segue::Code;

/// The exit code of the command. The numbers are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Success.
    Done = 0,
    /// The runtime or this command failed.
    Internal = 1,
    /// The command line or the configuration is invalid.
    Usage = 2,
    /// Refused; nothing changed.
    Refused = 3,
    /// No such module or file.
    NotFound = 4,
    /// The deadline passed, and an old version or a request is still there.
    Lingering = 5,
    /// The runtime cannot be reached.
    Unreachable = 6,
    /// Permission denied.
    Denied = 7,
    /// The demo or a probe found a problem.
    Found = 8,
}

// === impl ExitCode ===

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        match code {
            Code::NotFound => ExitCode::NotFound,
            Code::Deadline => ExitCode::Lingering,
            Code::Denied => ExitCode::Denied,
            Code::Unreachable => ExitCode::Unreachable,
            Code::BadRequest => ExitCode::Usage,
            Code::Internal | Code::Noexec => ExitCode::Internal,
            // Every other code, also one of a newer runtime, is a refusal.
            _ => ExitCode::Refused,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_code_has_its_exit_code() {
        let refused = "bad_file bad_elf executable_stack missing_symbol missing_version missing_library library_overwritten link_failed \
            wrong_machine no_metadata name_mismatch abi_mismatch interface_mismatch unsigned \
            bad_signature blocked probe_failed on_load_failed code_change_failed not_purged nothing_to_roll_back sticky \
            busy too_large";
        let others = [
            ("not_found", ExitCode::NotFound),
            ("deadline", ExitCode::Lingering),
            ("denied", ExitCode::Denied),
            ("unreachable", ExitCode::Unreachable),
            ("bad_request", ExitCode::Usage),
            ("internal", ExitCode::Internal),
            ("noexec", ExitCode::Internal),
        ];
        let refused = refused.split_whitespace().map(|name| (name, ExitCode::Refused));
        for (name, exit_code) in refused.chain(others) {
            let code: Code = serde_json::from_value(name.into()).unwrap();
            assert_eq!(ExitCode::from(code), exit_code, "{name}");
        }
    }

    #[test]
    fn the_numbers_are_the_promised_ones() {
        use ExitCode::*;
        let in_order = [Done, Internal, Usage, Refused, NotFound, Lingering, Unreachable, Denied, Found];
        for (number, code) in in_order.into_iter().enumerate() {
            assert_eq!(code as usize, number);
        }
    }
}
