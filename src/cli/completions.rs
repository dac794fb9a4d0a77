//! `kvs-connect completions`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;
use super::output;

/// Prints a script that completes this command line in a shell.
#[derive(Args)]
#[command(after_help = "\
bash:  source <(kvs-connect completions bash), in ~/.bashrc
zsh:   kvs-connect completions zsh > ~/.zfunc/_kvs-connect, with ~/.zfunc in fpath before compinit
fish:  kvs-connect completions fish > ~/.config/fish/completions/kvs-connect.fish")]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the completion script for a command.
    pub(super) fn execute(self, mut command: Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "kvs-connect", &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            // The generator (clap_complete 4.6) takes the dash of the program's name for a subcommand in the labels of its cases, which
            // then never match what it looks for.
            script = script.replace("kvs__subcmd__connect", "kvs__connect");
        }
        output::print(script.trim_end())
    }
}
