//! One file over HTTP, from the first mirror that gives the right content.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;

use super::FetchEvent;
use crate::{Error, Result};

/// Cut connections that are taken up again, per mirror and call.
const RESUMES: usize = 8;

pub(super) struct Download<'a> {
    pub(super) mirrors: &'a [String],
    pub(super) name: &'a str,
    pub(super) folder: &'a Path,
    /// No body may be longer.
    pub(super) limit: u64,
}

type OnEvent<'a> = dyn FnMut(FetchEvent<'_>) + 'a;

/// Checks a complete download and puts it to use. An [`Error::File`] means: the content is wrong, try elsewhere.
type Accept<'a> = dyn FnMut(&Path, &mut OnEvent<'_>) -> Result<()> + 'a;

/// Why a transfer stopped.
enum Stop {
    /// The connection broke; what arrived is kept.
    Cut(String),
    /// This mirror will not give the file.
    Refused(String),
    /// Our own disk: no other mirror helps.
    Local(Error),
}

impl Download<'_> {
    pub(super) fn run(&self, on_event: &mut OnEvent<'_>, accept: &mut Accept<'_>) -> Result<()> {
        let part = self.folder.join(format!("{}.part", self.name));
        let mut attempts = Vec::new();
        for mirror in self.mirrors {
            let url = format!("{mirror}{}", self.name);
            match self.try_mirror(&url, &part, on_event, accept)? {
                None => return Ok(()),
                Some(reason) => {
                    on_event(FetchEvent::Failed { url: &url, reason: &reason });
                    attempts.push((url, reason));
                }
            }
        }
        Err(Error::Download { file: self.name.to_owned(), folder: self.folder.to_owned(), attempts })
    }

    /// `None`: done. `Some`: why this mirror was given up.
    fn try_mirror(
        &self,
        url: &str,
        part: &Path,
        on_event: &mut OnEvent<'_>,
        accept: &mut Accept<'_>,
    ) -> Result<Option<String>> {
        let agent = agent(url);
        let mut resumes = 0;
        loop {
            let before = length(part);
            match self.transfer(&agent, url, part, on_event) {
                Ok(()) => match accept(part, on_event) {
                    Ok(()) => return Ok(None),
                    Err(Error::File { offset, fault, .. }) => {
                        remove(part)?;
                        let reason = format!("refused what it sent: byte {offset}: {fault}");
                        if before == 0 {
                            return Ok(Some(reason));
                        }
                        // The beginning came from an earlier attempt, perhaps from a mirror that compresses otherwise.
                        on_event(FetchEvent::Failed { url, reason: &reason });
                    }
                    Err(error) => return Err(error),
                },
                Err(Stop::Cut(reason)) if length(part) > before && resumes < RESUMES => {
                    resumes += 1;
                    on_event(FetchEvent::Failed { url, reason: &reason });
                }
                Err(Stop::Cut(reason) | Stop::Refused(reason)) => return Ok(Some(reason)),
                Err(Stop::Local(error)) => return Err(error),
            }
        }
    }

    fn transfer(
        &self,
        agent: &Agent,
        url: &str,
        part: &Path,
        on_event: &mut OnEvent<'_>,
    ) -> std::result::Result<(), Stop> {
        let have = length(part);
        // Transparent compression on top of the file's own would change its bytes and make ranges meaningless.
        let mut request = agent.get(url).header("Accept-Encoding", "identity");
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(|error| Stop::Refused(error.to_string()))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let start = match response.status().as_u16() {
            200 => 0,
            206 if have > 0 && header("Content-Range").starts_with(&format!("bytes {have}-")) => have,
            // Nothing lies beyond what we have: it is complete, or it is not this file; the checksum tells.
            416 if have > 0 => return Ok(()),
            206 => return Err(Stop::Refused(format!("sent the wrong part: {:?}", header("Content-Range")))),
            status => return Err(Stop::Refused(format!("HTTP status {status}"))),
        };
        let total = response.body().content_length().map(|rest| rest.saturating_add(start));
        if let Some(total) = total.filter(|total| *total > self.limit) {
            return Err(Stop::Refused(format!(
                "announces {total} bytes, more than the {} this file can have",
                self.limit
            )));
        }
        on_event(FetchEvent::Started { url, resumed_at: start, total });

        let mut file = open(part, start > 0).map_err(Stop::Local)?;
        let mut body = response.body_mut().as_reader();
        let (mut received, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            let count =
                body.read(&mut buffer).map_err(|error| Stop::Cut(format!("after {received} bytes: {error}")))?;
            if count == 0 {
                break;
            }
            received += count as u64;
            if received > self.limit {
                drop(file);
                remove(part).map_err(Stop::Local)?;
                return Err(Stop::Refused(format!("sends more than the {} bytes this file can have", self.limit)));
            }
            file.write_all(&buffer[..count]).map_err(|error| Stop::Local(Error::io("write", part)(error)))?;
            on_event(FetchEvent::Progress { received, total });
        }
        if total.is_some_and(|total| received < total) {
            return Err(Stop::Cut(format!("the connection ended after {received} bytes")));
        }
        file.sync_all().map_err(|error| Stop::Local(Error::io("write", part)(error)))
    }
}

fn agent(url: &str) -> Agent {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let mut config = Agent::config_builder()
        .user_agent(concat!("rftm/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Without a network this should fail in seconds; with a slow one a download may take its time.
        .timeout_resolve(seconds(5))
        .timeout_connect(seconds(5))
        .timeout_recv_response(seconds(30))
        .timeout_per_read(seconds(30));
    if url.starts_with("http://127.0.0.1") {
        // A server on this machine is not behind a proxy, whatever HTTP_PROXY says.
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}

fn open(part: &Path, append: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = options.create(true).write(true).append(append).truncate(!append);
    options.open(part).map_err(Error::io("write", part))
}

fn remove(part: &Path) -> Result<()> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete", part)(error)),
        _ => Ok(()),
    }
}
