//! Secrets in connectors' settings: `${env:NAME}`, `${file:/path:key}`, `${dir:/path:file}`.
//!
//! **Contract.** A reference is resolved on the worker that uses it, when it is used, and only if the worker's settings
//! allow it (`config.providers.*`, named as in Kafka Connect): nothing is allowed by default. What is stored and shown
//! is the reference; [`Resolved::hide`] restores it in texts that contain a resolved value. Settings that are secret by
//! nature are shown as [`MASK`] if they are in plain text, and the mask, when it is sent back, stands for the stored
//! value. As in Kafka Connect, text that only looks like a reference is used as it is, except in a secret setting,
//! where nobody would notice.

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use kvs_client::files;
use regex::Regex;

use super::table;
use super::table::worker::rest::{DIR_PATHS, ENV_PATTERN, FILE_PATHS};
pub use error::{ProviderError, ReferenceError};

/// What is shown instead of a plain secret.
pub const MASK: &str = "********";

/// The forms of references, for people.
const FORMS: &str = "${env:NAME}, ${file:/path:key} and ${dir:/path:file}";

/// Returns whether a connector's setting is secret by nature. A proxy's URL is, because it may contain a password.
pub fn is_secret(key: &str) -> bool {
    table::of_connector(key).is_some_and(table::Definition::is_secret)
}

/// Returns settings as they may be shown: references unresolved, plain secrets masked.
pub fn masked(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let show = |(key, value): (&String, &String)| {
        let hidden = is_secret(key) && !value.is_empty() && !is_reference(value);
        (key.clone(), if hidden { MASK.to_owned() } else { value.clone() })
    };
    settings.iter().map(show).collect()
}

/// Returns settings in which masks are replaced by the stored values.
pub fn unmasked(
    mut settings: BTreeMap<String, String>,
    stored: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    for (key, value) in &mut settings {
        if is_secret(key)
            && value == MASK
            && let Some(stored) = stored.and_then(|stored| stored.get(key))
        {
            value.clone_from(stored);
        }
    }
    settings
}

/// Returns whether a value is nothing but one reference, so that it contains no secret itself.
fn is_reference(value: &str) -> bool {
    let value = value.trim();
    references(value).next().is_some_and(|(found, _)| found.len() == value.len())
}

/// Returns the references in a text: each as a whole, and what is between its braces.
fn references(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let begin = rest.find("${")?;
            let end = begin + rest[begin..].find('}')?;
            let (whole, inner) = (&rest[begin..=end], &rest[begin + 2..end]);
            rest = &rest[end + 1..];
            let provider = inner.split_once(':').map(|(provider, _)| provider);
            if matches!(provider, Some("env" | "file" | "dir")) {
                return Some((whole, inner));
            }
        }
    })
}

/// Returns whether a text contains a reference.
pub(super) fn has_reference(text: &str) -> bool {
    references(text).next().is_some()
}

/// Returns whether a text contains something that begins like a reference but is none.
fn has_stray(text: &str) -> bool {
    references(text).fold(text.to_owned(), |text, (whole, _)| text.replacen(whole, " ", 1)).contains("${")
}

/// Returns notes about text that looks like a reference to a provider that does not exist, and is used as it is.
pub(super) fn notes(settings: &BTreeMap<String, String>) -> Vec<String> {
    let stray = |(key, value): (&String, &String)| {
        let (_, behind) = value.split_once("${")?;
        let (provider, _) = behind.split_once('}')?.0.split_once(':')?;
        // Templates of topics and headers have such variables.
        let is_variable = provider == "tag";
        let is_name = !is_variable && !provider.is_empty() && provider.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_name && has_stray(value)).then(|| {
            format!("{key}: ${{{provider}:…}} is not a reference and is used as it is; references are {FORMS}")
        })
    };
    settings.iter().filter_map(stray).collect()
}

/// What references may name.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    /// `config.providers.env.param.allowlist.pattern`, which matches whole names of variables.
    pub env: Option<Regex>,
    /// `config.providers.file.param.allowed.paths`.
    pub files: Vec<PathBuf>,
    /// `config.providers.dir.param.allowed.paths`.
    pub folders: Vec<PathBuf>,
}

/// Settings with their references resolved.
#[derive(Clone, Default)]
pub struct Resolved {
    /// The resolved settings, which are never shown.
    pub settings: BTreeMap<String, String>,
    /// Forms of the resolved values, each with its reference, longest first.
    hidden: Vec<(String, String)>,
}

/// Shows no values.
impl fmt::Debug for Resolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Resolved").finish_non_exhaustive()
    }
}

impl Resolved {
    /// Returns a text of the service or of Kafka with resolved values replaced by their references, in all forms in
    /// which they are likely to occur. Our own texts do not need this (`super::discreet`).
    pub fn hide(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, (value, reference)| text.replace(value, reference))
    }
}

/// The minimum length of a value to replace: a shorter one would be found by chance, and hiding it protects nothing.
const VALUE_MIN_BYTES: usize = 3;
/// The minimum length of a part of a value to replace.
const PART_MIN_BYTES: usize = 6;

/// Returns the forms in which a value, or a part of it, may occur in texts.
fn forms(value: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::from([value.to_owned(), value.trim().to_owned()]);
    parts.extend(value.lines().map(str::trim).filter(|line| line.len() >= PART_MIN_BYTES).map(str::to_owned));
    if let Ok(url) = url::Url::parse(value.trim()) {
        let of_url = [Some(url.as_str()), url.host_str(), url.password(), Some(url.username()), Some(url.path())];
        let of_url = of_url.into_iter().flatten().filter(|part| part.len() >= PART_MIN_BYTES);
        parts.extend(of_url.map(str::to_owned));
    }
    let mut forms = BTreeSet::new();
    for part in parts.into_iter().filter(|part| part.len() >= VALUE_MIN_BYTES) {
        let quoted = [format!("{part:?}"), serde_json::Value::from(part.as_str()).to_string()];
        forms.extend(quoted.iter().filter_map(|text| text.get(1..text.len() - 1)).map(str::to_owned));
        forms.insert(part.escape_default().to_string());
        let percent: String = url::form_urlencoded::byte_serialize(part.as_bytes()).collect();
        forms.insert(percent.replace('+', "%20"));
        forms.insert(percent);
        forms.insert(part.to_lowercase());
        forms.insert(part);
    }
    forms
}

impl Providers {
    /// Resolves all references.
    ///
    /// # Errors
    /// The key and the reason for each that cannot be resolved. No error contains a value.
    pub fn resolve(&self, settings: &BTreeMap<String, String>) -> Result<Resolved, Vec<(String, ReferenceError)>> {
        let (mut resolved, mut problems) = (Resolved::default(), Vec::new());
        for (key, value) in settings {
            let definition = table::of_connector(key);
            if definition.is_some_and(|known| known.strict_reference) && has_stray(value) {
                problems.push((key.clone(), ReferenceError::NoReference));
            }
            let mut text = value.clone();
            for (whole, inner) in references(value) {
                let reference = || whole.to_owned();
                if definition.is_some_and(|known| known.same_everywhere) {
                    problems.push((key.clone(), ReferenceError::SameEverywhere { reference: reference() }));
                    continue;
                }
                match self.value(inner) {
                    Ok(found) => {
                        text = text.replacen(whole, &found, 1);
                        resolved.hidden.extend(forms(&found).into_iter().map(|form| (form, whole.to_owned())));
                    }
                    Err(source) => {
                        problems.push((key.clone(), ReferenceError::Unresolved { reference: reference(), source }));
                    }
                }
            }
            resolved.settings.insert(key.clone(), text);
        }
        resolved.hidden.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn value(&self, inner: &str) -> Result<String, ProviderError> {
        match inner.split_once(':') {
            Some(("env", name)) => self.variable(name),
            Some((provider, rest)) => {
                let no_path = || ProviderError::NoPath { provider: provider.to_owned() };
                let (path, key) = rest.rsplit_once(':').ok_or_else(no_path)?;
                if provider == "file" { self.property(path, key) } else { self.file_of_folder(path, key) }
            }
            None => Err(ProviderError::NoProvider),
        }
    }

    fn variable(&self, name: &str) -> Result<String, ProviderError> {
        if !self.env.as_ref().is_some_and(|pattern| pattern.is_match(name)) {
            return Err(ProviderError::VariableNotAllowed { setting: ENV_PATTERN.name() });
        }
        std::env::var(name).map_err(|_| ProviderError::VariableNotSet)
    }

    fn property(&self, path: &str, key: &str) -> Result<String, ProviderError> {
        let file = allowed(Path::new(path), &self.files, FILE_PATHS.name())?;
        let text = read(&file)?;
        let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with(['#', '!']));
        let mut pairs = lines.filter_map(|line| line.split_once(['=', ':']));
        let found = pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned());
        found.ok_or(ProviderError::NoSuchKey)
    }

    fn file_of_folder(&self, path: &str, name: &str) -> Result<String, ProviderError> {
        if name.contains('/') {
            return Err(ProviderError::NotFileName);
        }
        let file = allowed(&Path::new(path).join(name), &self.folders, DIR_PATHS.name())?;
        let mut text = read(&file)?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}

/// Returns the real path of a file, if it is one of the allowed files or in one of the allowed folders, both by its
/// name, with
/// `..` resolved, and after following links.
fn allowed(path: &Path, paths: &[PathBuf], setting: &'static str) -> Result<PathBuf, ProviderError> {
    // All other paths get the same error, whether they exist or not.
    let refused = || ProviderError::PathNotAllowed { setting };
    let path = plain(path).ok_or_else(refused)?;
    let real_paths: Vec<PathBuf> = paths.iter().filter_map(|allowed| allowed.canonicalize().ok()).collect();
    let lies_in = |path: &Path, paths: &[PathBuf]| paths.iter().any(|allowed| path.starts_with(allowed));
    let named: Vec<PathBuf> = paths.iter().filter_map(|allowed| plain(allowed)).collect();
    if !lies_in(&path, &named) && !lies_in(&path, &real_paths) {
        return Err(refused());
    }
    match path.canonicalize() {
        Ok(real) if lies_in(&real, &real_paths) => Ok(real),
        Ok(_) => Err(refused()),
        // The target of a link may exist or not, which the error must not tell.
        Err(error) if leads_nowhere_else(&path, &real_paths) => Err(ProviderError::NotFound(error)),
        Err(_) => Err(refused()),
    }
}

/// Returns an absolute path whose `.` and `..` are resolved by name.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    Some(plain)
}

/// Returns whether the existing part of a path that does not exist is within the folders, and its next part is not a
/// link.
fn leads_nowhere_else(path: &Path, real_paths: &[PathBuf]) -> bool {
    let mut stops = path;
    while let Some(above) = stops.parent() {
        if let Ok(real) = above.canonicalize() {
            let is_link = std::fs::symlink_metadata(stops).is_ok_and(|found| found.is_symlink());
            return !is_link && real_paths.iter().any(|allowed| real.starts_with(allowed));
        }
        stops = above;
    }
    false
}

fn read(file: &Path) -> Result<String, ProviderError> {
    files::read_text(file).map_err(ProviderError::Unreadable)
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
