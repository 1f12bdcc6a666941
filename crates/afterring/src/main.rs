//! The command `afterring`.

use std::process::ExitCode;

fn main() -> ExitCode {
    afterring::command::main()
}
