//! Settings of converters and of the schema registry: a connector's, with the worker's as defaults.
//!
//! **Contract.** The worker's credentials, files and proxy are used only with the worker's URL, and its credentials only where
//! a connector changes nothing of the way there: a connector must not have them sent elsewhere, to a URL or a proxy of its own.

use std::path::PathBuf;

use url::Url;

use super::Problem;
use super::connector::check_proxy;
use super::error::ValueError;
use super::reader::Reader;
use super::table::registry::{self as table, KeyConverter, ValueConverter};
use crate::model::KeyFormat;
use crate::registry::{Credentials, RegistryConfig, Secret, SubjectNames, TlsFiles};

/// What a worker's or a connector's settings say of converters and registry.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    key_converter: Option<KeyConverter>,
    value_converter: Option<ValueConverter>,
    urls: Vec<Url>,
    credentials: Option<Credentials>,
    tls: TlsFiles,
    proxy: Option<Secret>,
    auto_register: Option<bool>,
    use_latest: Option<bool>,
    value_subjects: Option<SubjectNames>,
}

/// How a connector writes keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converters {
    /// How keys are written.
    pub keys: KeyFormat,
    /// The schema registry, if there is one.
    pub registry: Option<RegistryConfig>,
}

impl RegistrySettings {
    /// Returns these settings with those of a worker as defaults.
    pub(super) fn or(self, worker: &Self) -> Self {
        let has_url = !self.urls.is_empty();
        let has_own_way = has_url || self.proxy.is_some() || self.tls != TlsFiles::default();
        let inherits = |is_given: bool| !has_url && !is_given;
        Self {
            key_converter: self.key_converter.or(worker.key_converter),
            value_converter: self.value_converter.or(worker.value_converter),
            credentials: self.credentials.or_else(|| worker.credentials.clone().filter(|_| !has_own_way)),
            tls: if inherits(self.tls != TlsFiles::default()) { worker.tls.clone() } else { self.tls },
            proxy: if inherits(self.proxy.is_some()) { worker.proxy.clone() } else { self.proxy },
            urls: if has_url { self.urls } else { worker.urls.clone() },
            auto_register: self.auto_register.or(worker.auto_register),
            use_latest: self.use_latest.or(worker.use_latest),
            value_subjects: self.value_subjects.or(worker.value_subjects),
        }
    }

    /// Returns how keys and values are written.
    pub(super) fn converters(&self) -> Converters {
        let keys = match self.key_converter {
            None | Some(KeyConverter::String) => KeyFormat::Text,
            Some(KeyConverter::Avro | KeyConverter::AvroConverter) => KeyFormat::Avro,
        };
        let has_registry = !self.urls.is_empty() && self.value_converter != Some(ValueConverter::SingleObject);
        let registry = has_registry.then(|| RegistryConfig {
            urls: self.urls.clone(),
            credentials: self.credentials.clone().unwrap_or(Credentials::None),
            tls: self.tls.clone(),
            proxy: self.proxy.clone(),
            auto_register: self.auto_register.unwrap_or(true),
            use_latest: self.use_latest.unwrap_or(false),
            value_subjects: self.value_subjects.unwrap_or(SubjectNames::Topic),
        });
        Converters { keys, registry }
    }

    /// Returns the problems of these settings, which have no defaults any more.
    pub(super) fn problems(&self, place: &str) -> Vec<Problem> {
        if self.converters().registry.is_some() {
            return Vec::new();
        }
        let keys = (self.key_converter == Some(KeyConverter::AvroConverter)).then_some(table::KEY_CONVERTER.name());
        let values =
            (self.value_converter == Some(ValueConverter::AvroConverter)).then_some(table::VALUE_CONVERTER.name());
        let needed = keys.into_iter().chain(values);
        needed.map(|key| Problem::new(place, key, ValueError::NoRegistry.to_string())).collect()
    }
}

impl Reader<'_> {
    /// Reads the settings of converters and registry.
    pub(super) fn registry(&mut self) -> Option<RegistrySettings> {
        let key_converter = self.read_optional(&table::KEY_CONVERTER);
        let value_converter = self.read_optional(&table::VALUE_CONVERTER);
        let urls = self.registry_urls();
        let credentials = self.registry_credentials();
        let tls = self.registry_tls();
        let proxy = self.registry_proxy();
        let auto_register = self.read_optional(&table::AUTO_REGISTER);
        let use_latest = self.read_optional(&table::USE_LATEST);
        let value_subjects = self.read_optional(&table::VALUE_SUBJECTS);
        Some(RegistrySettings {
            key_converter: key_converter?,
            value_converter: value_converter?,
            urls: urls?,
            credentials: credentials?,
            tls: tls?,
            proxy: proxy?,
            auto_register: auto_register?,
            use_latest: use_latest?,
            value_subjects: value_subjects?,
        })
    }

    fn registry_urls(&mut self) -> Option<Vec<Url>> {
        let text = self.text(&table::URL).unwrap_or_default();
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        let urls = texts.map(registry_url).collect();
        self.checked(&table::URL, urls)
    }

    fn registry_credentials(&mut self) -> Option<Option<Credentials>> {
        let user_info = self.text(&table::USER_INFO);
        let token = self.text(&table::TOKEN);
        match (user_info, token) {
            (None, None) => Some(None),
            (Some(_), Some(_)) => {
                let other = table::USER_INFO.name();
                self.checked(&table::TOKEN, Err(ValueError::Together { other }))
            }
            (Some(user_info), None) => {
                let split = user_info.split_once(':').ok_or(ValueError::NotUserInfo);
                let (user, password) = self.checked(&table::USER_INFO, split)?;
                Some(Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned().into() }))
            }
            (None, Some(token)) => {
                let valid = token.bytes().all(|byte| byte.is_ascii_graphic());
                self.checked(&table::TOKEN, valid.then_some(()).ok_or(ValueError::NotToken))?;
                Some(Some(Credentials::Bearer(token.into())))
            }
        }
    }

    fn registry_tls(&mut self) -> Option<TlsFiles> {
        let ca: Option<Option<PathBuf>> = self.read_optional(&table::CA_FILE);
        let certificate = self.read_optional(&table::CERTIFICATE_FILE);
        let key = self.read_optional(&table::KEY_FILE);
        let identity = match (certificate?, key?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => {
                let other = table::KEY_FILE.name();
                return self.checked(&table::CERTIFICATE_FILE, Err(ValueError::Alone { other }));
            }
            (None, Some(_)) => {
                let other = table::CERTIFICATE_FILE.name();
                return self.checked(&table::KEY_FILE, Err(ValueError::Alone { other }));
            }
        };
        Some(TlsFiles { ca: ca?, identity })
    }

    fn registry_proxy(&mut self) -> Option<Option<Secret>> {
        let Some(text) = self.text(&table::PROXY) else { return Some(None) };
        self.checked(&table::PROXY, check_proxy(&text))?;
        Some(Some(text.into()))
    }
}

/// Reads the URL of a registry. An error does not show it.
fn registry_url(text: &str) -> Result<Url, ValueError> {
    let wrong = |detail: &str| ValueError::NotRegistry { detail: detail.to_owned() };
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("the scheme and a host are required"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("user and password belong in schema.registry.basic.auth.user.info, which is never shown"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("there must be nothing after the path"));
    }
    // The same path with and without a slash at its end.
    if url.path().ends_with('/') {
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
