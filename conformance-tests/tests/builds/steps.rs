//! `RUN`, `WORKDIR` and what a stage hands on.

use serde_json::json;

use crate::workshop::{BASE, Workshop};

#[test]
fn commands_run_one_after_the_other_over_what_the_ones_before_made() {
    let workshop = Workshop::new();
    let outcome = workshop.make(&format!(
        "FROM {BASE}\nRUN echo one > /one && echo said-this\nRUN [\"/bin/sh\", \"-c\", \"cat /one > /two\"]\n"
    ));
    outcome.says("said-this");
    assert_eq!(workshop.run("cat /one /two"), "one\none\n");
    workshop.nothing_is_left();
}

#[test]
fn a_heredoc_is_a_script_and_one_with_a_shebang_a_program() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nARG X=1\nRUN <<EOF\necho $X > /a\necho b > /b\nEOF\nRUN <<PROGRAM\n#!/bin/cat\ntext\nPROGRAM\n\
         RUN cat <<-'TEXT' > /c\n\t$X\n\tTEXT\n"
    ));
    assert_eq!(workshop.run("cat /a /b /c"), "1\nb\n$X\n");
    assert!(!workshop.image().has("dev/pipes"));
}

#[test]
fn variables_user_folder_and_shell_are_those_of_the_instructions_before() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nENV NAME=value\nARG GIVEN=default\nWORKDIR /srv/deep\nRUN pwd > where; echo $NAME $GIVEN $INHERITED > vars\n\
         USER app\nRUN id -u > /tmp/user; id -g >> /tmp/user\nWORKDIR own\nUSER root\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN false || echo ok > /ok\n"
    ));
    let said = workshop.run("cat /srv/deep/where /srv/deep/vars /tmp/user /ok; pwd");
    assert_eq!(said, "/srv/deep\nvalue default yes\n1000\n1001\nok\n/srv/deep/own\n");
    assert_eq!(workshop.image().at("srv/deep/own").owner, (1000, 1001));
}

#[test]
fn what_is_removed_is_hidden_and_a_folder_made_anew_has_nothing_of_the_old() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nRUN rm /opt/old/file\nRUN rm -r /opt/old && mkdir /opt/old && echo new > /opt/old/new\n"
    ));
    let image = workshop.image();
    assert!(image.has("opt/old/new"));
    assert!(!image.has("opt/old/file") && !image.has("opt/old/inner"));
    assert!(image.layers[1].contains(&"opt/old/.wh.file".to_owned()), "{:?}", image.layers[1]);
    assert!(image.layers[2].contains(&"opt/old/.wh..wh..opq".to_owned()), "{:?}", image.layers[2]);
    assert_eq!(workshop.run("find /opt"), "/opt\n/opt/old\n/opt/old/new\n");
}

#[test]
fn a_layer_has_what_changed_and_nothing_that_only_the_sandbox_needed() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nRUN true\nRUN echo x >> /opt/old/file && chmod 644 /opt/old/inner/file; chmod 600 /opt/old/inner/file\n\
         RUN --mount=type=tmpfs,target=/mnt/here touch /mnt/here/x\n"
    ));
    let image = workshop.image();
    assert_eq!(image.layers[1], Vec::<String>::new());
    assert!(image.layers[2].contains(&"opt/old/file".to_owned()));
    assert!(!image.has("mnt/here") && !image.has("etc/hosts") && !image.has("etc/resolv.conf"), "{image:?}");
}

#[test]
fn hard_links_modes_and_owners_are_kept() {
    let workshop = Workshop::new();
    workshop.make(&format!(
        "FROM {BASE}\nRUN echo x > /a && ln /a /b && chown 7:8 /a && chmod 4711 /a && mkdir -m 1777 /d && ln -s /a /l\n"
    ));
    let image = workshop.image();
    assert_eq!((image.at("a").mode, image.at("a").owner), (0o4711, (7, 8)));
    assert_eq!(image.at("a"), image.at("b"));
    assert_eq!(image.at("d").mode, 0o1777);
    assert_eq!(image.at("l").content, "/a");
    assert_eq!(workshop.run("stat -c %h /a"), "2\n");
}

#[test]
fn stages_that_the_target_does_not_need_are_skipped_and_a_target_can_be_chosen() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!(
        "FROM {BASE} AS first\nRUN echo first > /x\nFROM {BASE} AS broken\nRUN false\nFROM first AS last\nRUN echo last > /y\n"
    ));
    workshop.build("-t made").succeeds();
    assert_eq!(workshop.run("cat /x /y"), "first\nlast\n");
    workshop.build("-t made --target FIRST").succeeds();
    assert!(!workshop.image().has("y"));
    let unknown = workshop.build("--target nothing").run();
    assert_eq!(unknown.code(), Some(1));
    unknown.says("target stage \"nothing\" could not be found");
}

#[test]
fn stages_side_by_side_take_as_long_as_the_longest() {
    let workshop = Workshop::new();
    let stages = ["a", "b", "c", "d"];
    let mut text: String = stages
        .iter()
        .map(|name| format!("FROM {BASE} AS {name}\nRUN sleep 2 && echo {name} > /{name}\n"))
        .collect();
    text += "FROM scratch\n";
    text.extend(stages.iter().map(|name| format!("COPY --from={name} /{name} /\n")));
    let outcome = workshop.make(&text);
    assert!(outcome.took.as_secs_f64() < 7.0, "{:?}", outcome.took);
    assert_eq!(workshop.image().files.len(), 4);
}

#[test]
fn the_configuration_says_what_the_instructions_say() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!(
        "FROM {BASE}\nMAINTAINER me\nLABEL a=1\nEXPOSE 80\nVOLUME /data\nSTOPSIGNAL SIGINT\nUSER app\nWORKDIR /w\n\
         HEALTHCHECK --interval=5s CMD true\nENTRYPOINT [\"/bin/echo\"]\nCMD [\"hi\"]\n"
    ));
    workshop.build("-t made --label b=2").succeeds();
    let config = workshop.image().config;
    let inner = &config["config"];
    assert_eq!(inner["Labels"], json!({"of": "base", "a": "1", "b": "2"}));
    assert_eq!(inner["ExposedPorts"], json!({"80/tcp": {}}));
    assert_eq!(inner["Volumes"], json!({"/data": {}}));
    assert_eq!((&inner["User"], &inner["WorkingDir"]), (&json!("app"), &json!("/w")));
    assert_eq!(inner["Healthcheck"]["Interval"], json!(5_000_000_000_i64));
    assert_eq!((&inner["Entrypoint"], &inner["Cmd"]), (&json!(["/bin/echo"]), &json!(["hi"])));
    assert_eq!(config["author"], json!("me"));
    let history = config["history"].as_array().unwrap();
    let layers = history.iter().filter(|entry| entry["empty_layer"] != json!(true)).count();
    assert_eq!(layers, config["rootfs"]["diff_ids"].as_array().unwrap().len() - 1);
    assert_eq!(
        workshop.program().args(["run", "--rm", "--network", "none", "made"]).succeeds().stdout,
        "hi\n"
    );
}

#[test]
fn onbuild_instructions_are_done_by_whoever_starts_from_the_image() {
    let workshop = Workshop::new();
    workshop.file("x", "content");
    workshop.dockerfile(&format!("FROM {BASE}\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y\n"));
    workshop.build("-t parent").succeeds();
    workshop.make("FROM parent\nRUN cat /y > /z\n");
    assert_eq!(workshop.run("cat /z"), "content");
    assert_eq!(workshop.inspect()["Config"]["OnBuild"], json!(null));
}
