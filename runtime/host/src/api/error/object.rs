//! An error in JSON.

use serde::{Deserialize, Serialize};

use super::{
    code::{Code, Step},
    kind::Error,
};

/// An error as `--json` and the control socket write it, inside `{"error": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// The kind of error.
    pub code: Code,
    /// The step of a load, rollback or purge that failed.
    pub step: Option<Step>,
    /// The module that the error concerns.
    pub module: Option<String>,
    /// What failed, and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// If a set was refused: the error of each refused member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<ErrorObject>,
}

// === impl ErrorObject ===

impl From<&Error> for ErrorObject {
    fn from(error: &Error) -> Self {
        ErrorObject {
            code: error.code(),
            step: error.step(),
            module: error.module().map(str::to_owned),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            members: match error {
                Error::Set { errors } => errors.iter().map(ErrorObject::from).collect(),
                _ => Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_steps_have_their_documented_json_names() {
        assert_eq!(Code::OnLoadFailed.to_string(), "on_load_failed");
        assert_eq!(Step::OnLoad.to_string(), "on_load");
        let error = Error::NothingToRollBack { module: "greeter".to_owned() };
        let json = serde_json::to_value(ErrorObject::from(&error)).unwrap();
        assert_eq!(json["code"], "nothing_to_roll_back");
        assert_eq!(json["step"], "rollback");
        assert_eq!(json["module"], "greeter");
        assert!(json["hint"].is_string());
    }
}
