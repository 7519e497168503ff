//! Downloads from a server on this machine that says exactly what each test wants it to say.
#![cfg(feature = "fetch")]
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{NAMES, files, gzip, manifest, mnist, tar};
use rand::RngCore;
use rftm_data::{DatasetId, Error, FetchEvent, Manifest, Result, SearchPath, fetch, fetch_with, load_with};

/// Answers one connection after the other with the given bytes, and keeps what was asked.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(replies: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(|line| line.unwrap());
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                seen.lock().unwrap().push(head.join("\n").to_lowercase());
                // A client that stops an oversize body closes the connection before everything is written.
                let _ = stream.write_all(&reply);
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

fn whole(body: &[u8]) -> Vec<u8> {
    reply("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}

/// The connection ends after `at` bytes of the body.
fn cut(body: &[u8], at: usize) -> Vec<u8> {
    reply("200 OK", &format!("Content-Length: {}\r\n", body.len()), &body[..at])
}

fn rest(body: &[u8], from: usize) -> Vec<u8> {
    let (last, length) = (body.len() - 1, body.len());
    let headers = format!("Content-Length: {}\r\nContent-Range: bytes {from}-{last}/{length}\r\n", length - from);
    reply("206 Partial Content", &headers, &body[from..])
}

fn not_found() -> Vec<u8> {
    reply("404 Not Found", "Content-Length: 4\r\n", b"gone")
}

/// One file only, so that a test states each reply.
fn one_file(content: &[u8], servers: &[&Server]) -> Manifest {
    let mirrors: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
    manifest("mnist", "folders = ['mnist']", &NAMES[..1], &[content.to_vec()], &mirrors)
}

/// What [`fetch_with`] returns, and one word per event but those of progress.
fn run(manifest: &Manifest, id: DatasetId, dir: &Path) -> (Result<Vec<PathBuf>>, Vec<String>) {
    let mut events = Vec::new();
    let result = fetch_with(manifest, id, dir, &mut |event| match event {
        FetchEvent::Present { .. } => events.push("present".to_owned()),
        FetchEvent::MovedAside { .. } => events.push("moved".to_owned()),
        FetchEvent::Started { resumed_at, .. } => events.push(format!("started at {resumed_at}")),
        FetchEvent::Failed { .. } => events.push("failed".to_owned()),
        FetchEvent::Verified { .. } => events.push("verified".to_owned()),
        _ => {}
    });
    (result, events)
}

/// All but the lock.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != ".fetch.lock").collect();
    names.sort();
    names
}

/// Content that does not shrink, so that there is something to cut.
fn content() -> Vec<u8> {
    let mut content = vec![0; 20_000];
    rftm_rng::rng(7, "test", 0).fill_bytes(&mut content);
    content
}

#[test]
fn a_whole_set_is_fetched_then_loaded_and_not_fetched_again() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(files().iter().map(|content| whole(&gzip(content))).collect());
    let manifest = mnist(&files(), std::slice::from_ref(&server.url));

    let mut last = (0, None);
    let paths = fetch_with(&manifest, DatasetId::Mnist, root.path(), &mut |event| {
        if let FetchEvent::Progress { received, total } = event {
            last = (received, total);
        }
    })
    .unwrap();
    assert_eq!(paths, NAMES.map(|name| root.path().join(format!("mnist/{name}.gz"))));
    assert_eq!(last, (gzip(&files()[3]).len() as u64, Some(gzip(&files()[3]).len() as u64)));
    let asked = server.requests();
    assert!(asked[0].starts_with("get /train-images-idx3-ubyte.gz http/1.1"), "{asked:?}");
    assert!(asked.iter().all(|request| !request.contains("range:")), "{asked:?}");

    let loaded = load_with(&manifest, DatasetId::Mnist, &SearchPath::only(root.path())).unwrap();
    assert_eq!(loaded.train.labels, [2, 0, 1]);

    let (again, events) = run(&manifest, DatasetId::Mnist, root.path());
    assert_eq!((again.unwrap(), events), (paths.clone(), vec!["present".to_owned(); 4]));
    assert_eq!(names(&root.path().join("mnist")).len(), 4, "no .part is left");

    // Nor does it matter then whether there can be a lock.
    let lock = root.path().join("mnist/.fetch.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let (again, events) = run(&manifest, DatasetId::Mnist, root.path());
    assert_eq!((again.unwrap(), events), (paths, vec!["present".to_owned(); 4]));
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    let root = tempfile::tempdir().unwrap();
    let body = gzip(&content());
    let server = Server::new(vec![cut(&body, 5000), rest(&body, 5000)]);
    let (paths, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    assert_eq!(fs::read(&paths.unwrap()[0]).unwrap(), body);
    assert_eq!(events, ["started at 0", "failed", "started at 5000", "verified"]);
    assert!(server.requests()[1].contains("range: bytes=5000-"), "{:?}", server.requests());
}

#[test]
fn a_part_of_an_earlier_run_is_completed() {
    let body = gzip(&content());
    let part = |root: &Path, bytes: &[u8]| {
        fs::create_dir(root.join("mnist")).unwrap();
        fs::write(root.join("mnist/train-images-idx3-ubyte.gz.part"), bytes).unwrap();
    };
    // What lies there, what the servers answer, what happens.
    let other = [7; 100];
    for (bytes, replies, expected) in [
        (&body[..300], vec![rest(&body, 300)], &["started at 300", "verified"][..]),
        // A server without ranges sends everything.
        (&body[..300], vec![whole(&body)], &["started at 0", "verified"]),
        // Complete, but its run ended before it was renamed.
        (&body[..], vec![reply("416 Range Not Satisfiable", "Content-Length: 0\r\n", b"")], &["verified"]),
        // It began as another file: the whole is refused and fetched from the start.
        (&other[..], vec![rest(&body, 100), whole(&body)], &["started at 100", "failed", "started at 0", "verified"]),
        // A part longer than the file.
        (
            &[&body[..], &body[..]].concat()[..],
            vec![reply("416 Range Not Satisfiable", "Content-Length: 0\r\n", b""), whole(&body)],
            &["failed", "started at 0", "verified"],
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        part(root.path(), bytes);
        let server = Server::new(replies);
        let (paths, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
        assert_eq!(fs::read(&paths.unwrap()[0]).unwrap(), body);
        assert_eq!(events, expected);
        assert!(server.requests()[0].contains(&format!("range: bytes={}-", bytes.len())));
        assert_eq!(names(&root.path().join("mnist")), ["train-images-idx3-ubyte.gz"]);
    }
}

/// Every mirror fails: checks what the error says and that nothing is left that could be taken for data.
fn check_refused(replies: Vec<Vec<u8>>, parts: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(replies);
    let (result, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Download { attempts, .. } if attempts.len() == 1), "{error:?}");
    let message = error.to_string();
    for part in parts.iter().chain(&["train-images-idx3-ubyte.gz", &server.url[..], "Without a network, place"]) {
        assert!(message.contains(part), "{part} is missing in: {message}");
    }
    assert_eq!(events.last().unwrap(), "failed");
    assert!(names(&root.path().join("mnist")).iter().all(|name| name.ends_with(".part")));
}

#[test]
fn other_content_is_refused_and_deleted() {
    let mut flipped = content();
    flipped[10_000] ^= 1;
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(vec![whole(&gzip(&flipped))]);
    let (result, _) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    let message = result.unwrap_err().to_string();
    let (found, expected) = (common::sha256(&flipped), common::sha256(&content()));
    assert!(message.contains(&found) && message.contains(&format!("expected {expected}")), "{message}");
    assert!(names(&root.path().join("mnist")).is_empty());

    check_refused(
        vec![whole(b"<html>please log in</html>")],
        &["byte 26: the content ends here, 20000 bytes expected"],
    );
    check_refused(vec![whole(&gzip(&content())[..9000])], &["broken gzip stream"]);
    check_refused(vec![whole(&gzip(&[content(), vec![0; 1 << 20]].concat()))], &["byte 20000", "goes on"]);
    check_refused(vec![whole(b"")], &["empty"]);
}

#[test]
fn an_oversize_body_is_stopped() {
    let endless = vec![0; 10 << 20];
    check_refused(vec![whole(&endless)], &["announces 10485760 bytes"]);
    // Without a length only counting helps.
    check_refused(vec![reply("200 OK", "", &endless)], &["sends more than the 85736 bytes"]);
}

#[test]
fn a_server_that_answers_beside_the_question_is_refused() {
    check_refused(vec![not_found()], &["HTTP status 404"]);
    check_refused(vec![rest(&gzip(&content()), 100)], &["wrong part"]);
    check_refused(vec![b"nonsense\r\n\r\n".to_vec()], &[]);
    check_refused(vec![Vec::new()], &[]);
    // No byte more than before: trying again and again would not help.
    let body = gzip(&content());
    check_refused(vec![cut(&body, 5000), cut(&body, 0)], &[]);
}

#[test]
fn the_next_mirror_is_tried() {
    let root = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Server { url: format!("http://{nobody}/"), requests: Arc::default() };
    let (first, second) = (Server::new(vec![not_found()]), Server::new(vec![whole(&gzip(&content()))]));
    let manifest = one_file(&content(), &[&nobody, &first, &second]);
    let (paths, events) = run(&manifest, DatasetId::Mnist, root.path());
    assert_eq!(paths.unwrap().len(), 1);
    assert_eq!(events, ["failed", "failed", "started at 0", "verified"]);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
}

#[test]
fn a_wrong_file_in_the_way_is_moved_aside_and_a_right_one_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    // The plain file would be found first, so it must go even though a .gz is fetched.
    fs::write(folder.join(NAMES[0]), b"something else").unwrap();
    let server = Server::new(vec![whole(&gzip(&content()))]);
    let (paths, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    assert_eq!(paths.unwrap(), [folder.join(format!("{}.gz", NAMES[0]))]);
    assert_eq!(events, ["moved", "started at 0", "verified"]);
    assert_eq!(fs::read(folder.join(format!("{}.rejected", NAMES[0]))).unwrap(), b"something else");

    // The next one does not take its place.
    fs::write(folder.join(NAMES[0]), b"wrong again").unwrap();
    let (_, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    assert_eq!(events, ["moved", "present"]);
    assert_eq!(fs::read(folder.join(format!("{}.rejected", NAMES[0]))).unwrap(), b"something else");
    assert_eq!(fs::read(folder.join(format!("{}.rejected-2", NAMES[0]))).unwrap(), b"wrong again");

    fs::write(folder.join(NAMES[0]), content()).unwrap();
    let (paths, events) = run(&one_file(&content(), &[&server]), DatasetId::Mnist, root.path());
    assert_eq!((paths.unwrap(), events), (vec![folder.join(NAMES[0])], vec!["present".to_owned()]));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("mnist"), "a file where the folder should be").unwrap();
    let (result, _) = run(&one_file(&content(), &[]), DatasetId::Mnist, root.path());
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == root.path().join("mnist")), "{error}");
}

#[test]
fn glyphs_need_no_download() {
    let root = tempfile::tempdir().unwrap();
    assert!(fetch(DatasetId::Glyphs, root.path(), &mut |_| {}).unwrap().is_empty());
    assert!(names(root.path()).is_empty());
}

const BATCHES: [&str; 2] = ["data_batch_1.bin", "test_batch.bin"];

fn cifar(server: &Server) -> (Manifest, [Vec<u8>; 2]) {
    let contents = [content(), vec![5; 700]];
    let more = "folders = ['cifar-10-batches-bin']\narchive = 'cifar-10-binary.tar.gz'";
    (manifest("cifar-10", more, &BATCHES, &contents, std::slice::from_ref(&server.url)), contents)
}

#[test]
fn an_archive_is_unpacked_file_by_file() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cifar-10-batches-bin");
    let batch = content();
    // In another order, among other things, and with a path that must not be followed.
    let archive = tar(&[
        ("cifar-10-batches-bin/", b""),
        ("cifar-10-batches-bin/readme.html", &[b'x'; 513]),
        ("cifar-10-batches-bin/test_batch.bin", &[5; 700]),
        ("../../../escape.bin", b"no"),
        ("cifar-10-batches-bin/data_batch_1.bin", &batch),
    ]);
    let server = Server::new(vec![whole(&archive)]);
    let (manifest, contents) = cifar(&server);
    let (paths, events) = run(&manifest, DatasetId::Cifar10, root.path());
    let paths = paths.unwrap();
    assert_eq!(paths, BATCHES.map(|name| folder.join(name)));
    assert_eq!([fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap()], contents);
    assert_eq!(events, ["started at 0", "verified", "verified"]);
    assert_eq!(names(&folder), BATCHES, "archive, .part and everything not asked for are gone");
    assert!(server.requests()[0].starts_with("get /cifar-10-binary.tar.gz "));

    let (again, events) = run(&manifest, DatasetId::Cifar10, root.path());
    assert_eq!((again.unwrap(), events), (paths, vec!["present".to_owned(); 2]));
}

#[test]
fn an_archive_that_lies_there_is_unpacked_instead_of_downloaded() {
    let contents = [content(), vec![5; 700]];
    let archive = tar(&[(BATCHES[0], &contents[0]), (BATCHES[1], &contents[1])]);
    for place in ["cifar-10-binary.tar.gz", "cifar-10-batches-bin/cifar-10-binary.tar.gz"] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("cifar-10-batches-bin")).unwrap();
        fs::write(root.path().join(place), &archive).unwrap();
        // No server answers: nothing may be asked for.
        let (manifest, _) = cifar(&Server::new(vec![]));
        let (paths, events) = run(&manifest, DatasetId::Cifar10, root.path());
        let found = paths.unwrap().iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
        assert_eq!(
            (&found[..], &events[..]),
            (&contents[..], &["verified", "verified", "present"].map(String::from)[..])
        );
        assert!(root.path().join(place).is_file(), "it is not ours to delete");
    }
    // A damaged one is kept under another name.
    let root = tempfile::tempdir().unwrap();
    let damaged = root.path().join("cifar-10-binary.tar.gz");
    fs::write(&damaged, &archive[..9000]).unwrap();
    let (paths, events) = run(&cifar(&Server::new(vec![whole(&archive)])).0, DatasetId::Cifar10, root.path());
    assert_eq!(paths.unwrap().len(), 2);
    assert_eq!(events, ["moved", "started at 0", "verified", "verified"]);
    assert!(!damaged.exists() && root.path().join("cifar-10-binary.tar.gz.rejected").is_file());
}

/// The server answers once. Whoever comes while the first still downloads has to wait, and then finds the file there.
#[test]
fn who_fetches_into_a_folder_waits_for_who_does_already() {
    let root = tempfile::tempdir().unwrap();
    let manifest = one_file(&content(), &[&Server::new(vec![whole(&gzip(&content()))])]);
    std::thread::scope(|scope| {
        let mut second = None;
        let first = fetch_with(&manifest, DatasetId::Mnist, root.path(), &mut |event| {
            if let FetchEvent::Started { .. } = event {
                second = Some(scope.spawn(|| run(&manifest, DatasetId::Mnist, root.path())));
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
        });
        let (paths, events) = second.unwrap().join().unwrap();
        assert_eq!((paths.unwrap(), events), (first.unwrap(), vec!["present".to_owned()]));
    });
}

#[test]
fn a_wrong_archive_is_refused() {
    let right = content();
    let mut flipped = content();
    flipped[7] ^= 1;
    let folder = "cifar-10-batches-bin/";
    let (first, last) = (format!("{folder}{}", BATCHES[0]), format!("{folder}{}", BATCHES[1]));
    let cases: [(Vec<u8>, &str); 7] = [
        (tar(&[(&first, &flipped), (&last, &[5; 700])]), "sha-256"),
        (tar(&[(&first, &right)]), "ends without test_batch.bin"),
        (tar(&[(&first, &right), (&last, &[5; 701])]), "test_batch.bin has 701 bytes, expected 700"),
        (tar(&[("other", &vec![0; 2 << 20])]), "more than all files together"),
        (gzip(&[b'x'; 2048]), "no tar header"),
        (b"<html></html>".to_vec(), "ends without data_batch_1.bin"),
        (tar(&[(&first, &right)])[..9000].to_vec(), "broken gzip stream"),
    ];
    for (archive, part) in cases {
        let root = tempfile::tempdir().unwrap();
        let server = Server::new(vec![whole(&archive)]);
        let (result, _) = run(&cifar(&server).0, DatasetId::Cifar10, root.path());
        let message = result.unwrap_err().to_string();
        assert!(message.contains(part) && message.contains("cifar-10-binary.tar.gz"), "{message}");
        let left = names(&root.path().join("cifar-10-batches-bin"));
        assert!(left.iter().all(|name| name == BATCHES[0] || name.ends_with(".bin.part")), "{left:?}");
    }
}
