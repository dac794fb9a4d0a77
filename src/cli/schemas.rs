//! `kvs-connect schemas`: the schemas of the records, for people and for schema registries.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::remote::print_table;
use super::validate::{check_all, load_all};
use super::worker_args::WorkerArgs;
use crate::config::{WorkerConfig, check};
use crate::output::{BUILT_IN, BuiltInSchema, fingerprint, subjects};
use crate::registry::{self, KnownIds, RegistryConfig, RegistryError};

/// Lists, exports and registers schemas.
#[derive(Args)]
pub(super) struct Schemas {
    #[command(subcommand)]
    command: SchemasCommand,
}

#[derive(Subcommand)]
enum SchemasCommand {
    /// List the schemas with their fingerprints.
    List,
    /// Print a schema, or write all of them to a folder.
    Export(Export),
    /// Register the schemas of connectors in their schema registry.
    Register(Register),
}

#[derive(Args)]
#[command(after_help = "\
  kvs-connect schemas export fragment > fragment.avsc
  kvs-connect schemas export --to schemas")]
struct Export {
    /// The schema, by its name in `schemas list`.
    #[arg(value_name = "NAME", required_unless_present = "to")]
    name: Option<String>,
    /// Folder to write NAME, or all schemas, to.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Registers what the connectors would register when they start, and prints each subject with the schema's id: for registries \
that only some may write to, with auto.register.schemas=false in the connectors' settings. Exits with 78 if a schema is \
incompatible, and with 69 if the registry cannot be used.
  kvs-connect schemas register --worker worker.toml --set schema.registry.url=http://127.0.0.1:8081 cameras.json")]
struct Register {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Only check that the schemas could be registered.
    #[arg(long)]
    check: bool,
    /// Connectors in Connect's JSON, or in Java properties (*.properties).
    #[arg(required = true, value_name = "CONNECTOR.json")]
    connectors: Vec<PathBuf>,
}

impl Schemas {
    pub(super) fn execute(self) -> Result<(), Failure> {
        match self.command {
            SchemasCommand::List => list(),
            SchemasCommand::Export(export) => export.execute(),
            SchemasCommand::Register(register) => register.execute(),
        }
    }
}

/// Returns the name of a schema on the command line.
fn name(schema: &BuiltInSchema) -> &'static str {
    schema.file.trim_end_matches(".avsc")
}

fn list() -> Result<(), Failure> {
    let row = |schema: &BuiltInSchema| {
        let fingerprint = fingerprint(schema).map_err(|error| Failure::new(EXIT_CONFIG, error))?;
        Ok(vec![name(schema).to_owned(), schema.full_name.to_owned(), fingerprint, schema.text.len().to_string()])
    };
    let rows = BUILT_IN.iter().map(row).collect::<Result<Vec<_>, Failure>>()?;
    print_table(&["NAME", "RECORD", "FINGERPRINT", "BYTES"], &rows)
}

impl Export {
    fn execute(self) -> Result<(), Failure> {
        let chosen: Vec<&BuiltInSchema> = match &self.name {
            None => BUILT_IN.iter().collect(),
            Some(wanted) => {
                let wanted = wanted.trim_end_matches(".avsc");
                let found = BUILT_IN.iter().find(|schema| name(schema) == wanted);
                vec![found.ok_or_else(|| {
                    let known: Vec<&str> = BUILT_IN.iter().map(name).collect();
                    Failure::new(EXIT_USAGE, format!("{wanted:?}: one of {} was expected", known.join(", ")))
                })?]
            }
        };
        let Some(folder) = self.to else {
            return chosen.iter().try_for_each(|schema| output::print(schema.text.trim_end()));
        };
        let failed = |what: &std::path::Path, error: std::io::Error| {
            Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", what.display()))
        };
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        for schema in chosen {
            let file = folder.join(schema.file);
            std::fs::write(&file, schema.text).map_err(|error| failed(&file, error))?;
            output::print(file.display())?;
        }
        Ok(())
    }
}

impl Register {
    fn execute(self) -> Result<(), Failure> {
        let (given, mut problems) = load_all(&self.connectors);
        let mut worker: Option<WorkerConfig> = None;
        if self.worker.is_given() {
            match self.worker.load() {
                Ok(loaded) => worker = Some(loaded),
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(check_all(worker.as_ref(), &given));
        if !problems.is_empty() {
            return Err(Failure::config(&problems));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no runtime: {error}")))?;
        let (mut rows, known) = (Vec::new(), KnownIds::default());
        for file in &given {
            let (connector, resolved) = check::connector(worker.as_ref(), &file.place, &file.settings)
                .map_err(|problems| Failure::config(&problems))?;
            if connector.converters.registry.is_none() {
                let reason =
                    "there is no schema registry: set schema.registry.url here, or in the settings of --worker";
                return Err(Failure::new(EXIT_CONFIG, format!("{}: {reason}", file.place)));
            }
            for (registry, wanted) in subjects(worker.as_ref(), &connector) {
                // Registering is what is asked for, whatever the connector itself may do.
                let registry = &RegistryConfig { auto_register: true, use_latest: false, ..registry };
                let ids: Result<Vec<String>, RegistryError> = runtime.block_on(async {
                    if self.check {
                        registry::check(registry, &wanted).await?;
                        return Ok(wanted.iter().map(|_| "compatible".to_owned()).collect());
                    }
                    let ids = known.ids(registry, &wanted).await?;
                    Ok(ids.iter().map(|id| id.get().to_string()).collect())
                });
                let ids = ids.map_err(|error| {
                    let code = if error.is_absence() { EXIT_UNAVAILABLE } else { EXIT_CONFIG };
                    Failure::new(code, format!("{}: {}", file.place, resolved.hide(&error.to_string())))
                })?;
                let named = wanted.into_iter().zip(ids);
                rows.extend(named.map(|(wanted, id)| vec![wanted.subject, wanted.file.to_owned(), id]));
            }
        }
        if worker.is_none() {
            output::say(format_args!(
                "kvs-connect: the schema of notifications was left out: it needs the worker's settings (--worker)"
            ));
        }
        print_table(&["SUBJECT", "SCHEMA", if self.check { "CHECK" } else { "ID" }], &rows)
    }
}
