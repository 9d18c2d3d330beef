//! One Chromium without a window, with a profile of its own, driven through chromedriver (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
};

/// What a slow machine may take. Where all is well, nothing is waited for that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Runs chromedriver, and kills it with every Chromium of its own when the standard input ends: when this process drops
/// it or is gone itself, whatever ended it.
const UNTIL_INPUT_ENDS: &str = r#""$0" --port=0 & exec >/dev/null; read -r _; kill -KILL 0"#;
const STARTED: &str = "started successfully on port ";

/// The browser. Its tabs share their cookies.
pub(crate) struct Chromium {
    // In the order in which they end.
    driver: WebDriver,
    _chromedriver: Chromedriver,
    _profile: TempDir,
}

struct Chromedriver {
    shell: Child,
    // Kept open for what it may still say.
    _said: BufReader<ChildStdout>,
}

impl Chromedriver {
    /// Whatever the browser leaves lying about goes into the directory.
    fn start(directory: &Path) -> (Self, String) {
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS])
            .arg(program("chromedriver"))
            .env("TMPDIR", directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(shell.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains(STARTED) {
            let read = said.read_line(&mut text).unwrap();
            assert_ne!(read, 0, "chromedriver does not start:\n{text}");
        }
        let port = text.split(STARTED).nth(1).unwrap().trim_end();
        let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        (Self { shell, _said: said }, url)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Where a program is. A machine without it fails the tests, and is told how to get it.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.into_iter().find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("there is no {name} on the PATH, and these tests need a browser: apt install chromium chromium-driver")
    })
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let chromium = program("chromium");
        let profile = TempDir::new().unwrap();
        let (chromedriver, url) = Chromedriver::start(profile.path());
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(chromium.to_str().unwrap()).unwrap();
        for log in ["browser", "performance"] {
            wanted
                .set_logging_prefs(log, LoggingPrefsLogLevel::All)
                .unwrap();
        }
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        for argument in [
            "--headless=new",
            // It shows our own pages only, and has no sandbox as root and in most containers.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            // Another program may have the same port of ::1.
            "--host-resolver-rules=MAP localhost 127.0.0.1",
            "--window-size=1000,1400",
            &profile_argument,
        ] {
            wanted.add_arg(argument).unwrap();
        }
        Self {
            driver: WebDriver::new(url, wanted).await.unwrap(),
            _chromedriver: chromedriver,
            _profile: profile,
        }
    }

    pub(crate) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Loads the page again, and comes back when it is loaded. What its script asks for may be under way.
    pub(crate) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    /// Opens a tab and goes to it.
    pub(crate) async fn new_tab(&self) -> Tab {
        let tab = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(tab.clone()).await.unwrap();
        Tab(tab)
    }

    pub(crate) async fn tab(&self) -> Tab {
        Tab(self.driver.window().await.unwrap())
    }

    pub(crate) async fn go_to(&self, tab: &Tab) {
        self.driver.switch_to_window(tab.0.clone()).await.unwrap();
    }

    /// What a script in the page returns; a promise is waited for.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let answer = self.driver.execute(script, arguments.to_vec()).await;
        answer.unwrap().json().clone()
    }

    /// Runs a script until it returns something true, and gives that.
    pub(crate) async fn until(&self, script: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let found = self.run(script, &[]).await;
            if found != Value::Null && found != Value::Bool(false) {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let page = "return document.body.dataset.state + ': ' + document.body.innerText";
        let page = self.run(page, &[]).await;
        panic!("this has not become true: {script}\n{page}");
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let field = self.driver.find(By::Css(selector)).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    pub(crate) async fn press(&self, selector: &str) {
        let button = self.driver.find(By::Css(selector)).await.unwrap();
        button.click().await.unwrap();
    }

    /// Where the tab has sent requests since this was asked for the last time, those among them that were stopped.
    pub(crate) async fn requested(&self) -> Vec<String> {
        let log = self.driver.get_log("performance").await.unwrap();
        let messages = log
            .iter()
            .map(|entry| serde_json::from_str(&entry.message).unwrap());
        let sent = messages
            .filter(|it: &Value| it["message"]["method"] == "Network.requestWillBeSent")
            .map(|it| it["message"]["params"]["request"]["url"].clone());
        sent.map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    /// What the browser has complained of since this was asked for the last time: errors of scripts, what a policy has
    /// stopped, what could not be loaded.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap();
        log.into_iter().map(|entry| entry.message).collect()
    }

    /// What is on the screen there, as a PNG.
    pub(crate) async fn picture(&self, selector: &str) -> Vec<u8> {
        let element = self.driver.find(By::Css(selector)).await.unwrap();
        element.screenshot_as_png().await.unwrap()
    }

    /// A cookie as the browser keeps it, also one that no script can read.
    pub(crate) async fn cookie(&self, name: &str) -> Option<thirtyfour::Cookie> {
        let all = self.driver.get_all_cookies().await.unwrap();
        all.into_iter().find(|cookie| cookie.name == name)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It is killed, and need not be asked to go, which takes long.
        let _ = self.driver.clone().leak();
    }
}

/// A tab of the browser.
pub(crate) struct Tab(thirtyfour::WindowHandle);
