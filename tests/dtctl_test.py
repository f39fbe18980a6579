"""dtctl against a running environment, as an administrator uses it."""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import unittest
import xml.etree.ElementTree

from support import json_schema
from support import json_schema
from support.browser import Browser, sign_in
from support.environment import BIN, EnvironmentTest, run


METADATA = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
    entityID="https://time.example.com/saml">
  <md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:AssertionConsumerService index="0" Location="https://time.example.com/acs"
        Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
"""


class Dtctl(EnvironmentTest):
    def test_status_and_the_refused_switch_off(self):
        status = json.loads(self.environment.dtctl("device-trust", "status", "--json").stdout)
        self.assertTrue(status["device_trust_enabled"])
        off = self.environment.dtctl("device-trust", "off", check=False)
        self.assertEqual(off.returncode, 1)
        self.assertIn("SETTING_IN_USE", off.stderr)

    def test_forced_off_warns_and_on_mends(self):
        off = self.environment.dtctl("device-trust", "off", "--force")
        self.assertIn("warning", off.stderr + off.stdout)
        self.assertIn("in force      no", off.stdout)
        on = self.environment.dtctl("device-trust", "on")
        self.assertIn("in force      yes", on.stdout)

    def test_learn_more_must_be_a_public_https_address(self):
        for bad in ("http://help.example.com/", "https://127.0.0.1/", "https://intranet/",
                    "https://org.localhost/"):
            result = self.environment.dtctl("device-trust", "on", "--learn-more-url", bad, check=False)
            self.assertEqual(result.returncode, 1, bad)
            self.assertIn("MALFORMED_REQUEST", result.stderr)

    def test_log_by_type(self):
        five = self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "5")
        self.assertEqual(len(five.stdout.splitlines()), 5)
        self.assertIn("the newest 5; more with --limit", five.stderr)
        all_of_them = self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "9")
        self.assertEqual(len(all_of_them.stdout.splitlines()), 9)
        self.assertEqual(all_of_them.stderr, "")
        for line in self.environment.dtctl("log", "--json", "--limit", "3").stdout.splitlines():
            self.assertIn("eventType", json.loads(line))

    def test_events_name_their_writer(self):
        issued = json.loads(self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "1",
                                                   "--json").stdout)
        self.assertEqual(issued["writer"], "ca")
        self.assertTrue(issued["uuid"].startswith("ca/issue-"), issued["uuid"])
        line = self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "1").stdout
        self.assertIn("written by ca", line)

    def test_events_meet_the_schema_and_exports_verify(self):
        schema = json.loads(run(BIN / "dtctl", "log", "--schema").stdout)
        path = self.environment.folder / "log.ndjson"
        exported = self.environment.dtctl("log", "export").stdout
        path.write_text(exported)
        events = [json.loads(line) for line in exported.splitlines()]
        self.assertGreater(len(events), 20)
        for event in events:
            self.assertEqual(list(json_schema.problems(event, schema)), [], event)
            self.assertRegex(event.get("transaction", {}).get("id", "0" * 32), "^[0-9a-f]{32}$")
        self.assertIn("holds", self.environment.dtctl("log", "verify").stdout)
        head = self.environment.folder / "head.json"
        head.write_text(self.environment.dtctl("log", "head").stdout)
        whole = self.environment.dtctl("log", "verify", "--head", head)
        self.assertRegex(whole.stdout, r"holds: \d+ events, \d+ heads? of the chain")

        # Without the org, by dtctl and by the document's own lines.
        self.assertIn("holds", run(BIN / "dtctl", "log", "verify", path).stdout)
        before = "0" * 64
        for event in events:
            chain, sequence = event.pop("chain"), event.pop("sequence")
            self.assertEqual(chain["previousHash"], before)
            text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            content = hashlib.sha256(text.encode()).digest()
            block = bytes.fromhex(before) + sequence.to_bytes(8, "big") + content
            before = hashlib.sha256(block).hexdigest()
            self.assertEqual(chain["hash"], before)

        lines = exported.splitlines(keepends=True)
        victim = json.loads(lines[5])
        path.write_text("".join(lines[:5] + [lines[5].replace("SUCCESS", "FAILURE")] + lines[6:]))
        changed = run(BIN / "dtctl", "log", "verify", path, check=False)
        self.assertEqual(changed.returncode, 1)
        self.assertIn(f"event {victim['uuid']} of {victim['published']}", changed.stderr)
        path.write_text("")
        emptied = run(BIN / "dtctl", "log", "verify", path, check=False)
        self.assertEqual(emptied.returncode, 1)
        self.assertIn("there is no event in it", emptied.stderr)
        misplaced = run(BIN / "dtctl", "log", "export", "--limit", "3", check=False)
        self.assertEqual(misplaced.returncode, 2)
        self.assertIn("there is no option --limit here\n", misplaced.stderr)
        path.write_text("".join(lines[:-1]))
        cut = run(BIN / "dtctl", "log", "verify", path, "--head", head, check=False)
        self.assertEqual(cut.returncode, 1)
        self.assertIn("were removed", cut.stderr)

    def test_filter_expressions(self):
        def found(expression, *options):
            output = self.environment.dtctl("log", "--filter", expression, "--json", "--limit", "9999",
                                            *options).stdout
            return [json.loads(line) for line in output.splitlines()]

        issued = found('eventType eq "pki.cert.issue"')
        self.assertGreater(len(issued), 2)
        device = next(one["id"] for one in issued[0]["target"] if one["type"] == "Device")
        of_device = found(f'target[type eq "Device" and id eq "{device}"]')
        self.assertLessEqual({"pki.cert.issue", "user.credential.enroll"},
                             {event["eventType"] for event in of_device})
        for event in of_device:
            self.assertIn(device, [one.get("id") for one in event["target"]])
        self.assertEqual(found('eventType eq "pki.cert.issue" and not (actor.id eq "ca")'), [])
        csv = self.environment.dtctl("log", "export", "--format", "csv", "--filter",
                                     'eventType eq "pki.cert.issue"').stdout
        self.assertEqual(len(csv.splitlines()), len(issued) + 1)
        wrong = self.environment.dtctl("log", "--filter", 'actor.alternateld eq "x"', check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("character 1: there is no attribute actor.alternateld; did you mean "
                      "actor.alternateId?", wrong.stderr)

    def test_event_hooks(self):
        dtctl = self.environment.dtctl
        self.assertIn("there is no hook", dtctl("hooks", "list").stderr)
        for url, why in (("http://siem.example.com/", "https://"), ("https://127.0.0.1/", "public")):
            refused = dtctl("hooks", "add", "siem", url, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(why, refused.stderr)
        # A reserved name: nobody answers there.
        added = dtctl("hooks", "add", "siem", "https://siem.invalid/events", "--filter",
                      'eventType sw "pki."')
        self.assertRegex(added.stdout, "^[0-9a-f]{64}\n$")
        self.assertIn("siem.invalid", dtctl("hooks", "list").stdout)
        rotated = dtctl("hooks", "rotate-key", "siem", "--overlap-hours", "2")
        self.assertNotEqual(rotated.stdout, added.stdout)
        twice = dtctl("hooks", "add", "siem", "https://siem.invalid/", check=False)
        self.assertIn("there is a hook 'siem' already  [ALREADY_EXISTS]", twice.stderr)
        for verb in ("show", "test", "pause", "remove", "dead-letters", "resend"):
            yes = ["--yes"] if verb == "remove" else []
            unknown = dtctl("hooks", verb, "seim", *yes, check=False)
            self.assertIn("there is no hook 'seim'  [UNKNOWN_SUBJECT]", unknown.stderr, verb)
        told = json.loads(dtctl("hooks", "add", "json", "https://siem.invalid/", "--json").stdout)
        self.assertRegex(told["secret"]["secret"], "^[0-9a-f]{64}$")
        self.assertEqual([key["id"] for key in told["hook"]["keys"]], [told["secret"]["key_id"]])
        self.assertIn("Hook json is removed", dtctl("hooks", "remove", "json", "--yes").stdout)
        shown = json.loads(dtctl("hooks", "show", "siem", "--json").stdout)
        self.assertEqual(len(shown["keys"]), 2)
        self.assertEqual(shown["expression"], 'eventType sw "pki."')
        self.assertNotIn(added.stdout.strip(), json.dumps(shown))
        self.assertEqual(dtctl("hooks", "test", "siem", check=False).returncode, 1)
        self.assertIn("paused", dtctl("hooks", "pause", "siem").stdout)
        self.assertNotIn("paused", dtctl("hooks", "resume", "siem").stdout)
        self.assertIn("no dead letter", dtctl("hooks", "dead-letters", "siem").stderr)
        self.assertIn("0 dead letters", dtctl("hooks", "resend", "siem").stdout)
        again = json.loads(dtctl("hooks", "resend", "siem", "--json").stdout)
        self.assertEqual(again.get("count", 0), 0)
        asked = dtctl("hooks", "remove", "siem", check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertEqual(json.loads(dtctl("hooks", "remove", "siem", "--yes", "--json").stdout), {})
        self.assertEqual(dtctl("hooks", "remove", "siem", "--yes", check=False).returncode, 1)
        told = dtctl("log", "--type", "org.hook.change").stdout
        self.assertIn("siem added: https://siem.invalid/events", told)

    def test_an_answer_that_can_not_be_written_is_a_failure(self):
        for verb in (["log", "--json"], ["log", "--follow"], ["device-trust", "status"], ["--help"]):
            with open("/dev/full", "w") as full:
                command = [BIN / "dtctl", "--endpoints", self.environment.run_dir / "endpoints.json",
                           *verb]
                result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True,
                                        timeout=30)
            self.assertEqual(result.returncode, 1, verb)
            self.assertIn("standard output", result.stderr)

    def test_follow_shows_what_happens_next(self):
        command = [BIN / "dtctl", "--endpoints", self.environment.run_dir / "endpoints.json", "log",
                   "--follow", "--type", "pki.cert.revoke", "--json"]
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-2]
        path = self.environment.path_of(device["cert_pem"], "followed.pem")
        serial = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.split("=")[1].strip()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            try:
                self.environment.dtctl("revoke", "--serial", serial, "--yes")
                for line in follower.stdout:
                    if serial.lower() in line.lower():
                        break
                else:
                    self.fail("the revocation did not come by")
            finally:
                follower.terminate()

    def test_revoke_asks_and_without_a_terminal_does_nothing(self):
        device = self.environment.device("enrolled")
        user = self.environment.user(device["user"])
        result = self.environment.dtctl("revoke", "--user", user["principal"], check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("Nothing was done", result.stderr)
        self.assertIn("certificate", result.stderr)

    def test_doctor_names_the_first_check_that_fails(self):
        def doctor(*subject):
            run = self.environment.dtctl("doctor", *subject, "--json", check=False)
            diagnosis = json.loads(run.stdout)
            first = diagnosis.get("first_failed", "")
            self.assertEqual(run.returncode, 1 if first else 0, run.stderr)
            return first, diagnosis

        device, user = self.environment.device_and_user(number=1)
        first, diagnosis = doctor("--user", user["principal"])
        self.assertEqual(first, "", diagnosis)
        device_id = diagnosis["certificates"][0]["device_id"]
        first, diagnosis = doctor("--device", device_id)
        self.assertEqual((first, diagnosis["user"]["principal"]), ("", user["principal"]))
        self.assertIn("pki.cert.issue", [event["type"] for event in diagnosis["events"]])

        revoked = self.environment.device("revoked")
        self.assertEqual(doctor("--user", revoked["principal"])[0], "certificate_good")
        without = next(d for d in self.endpoints["devices"] if d["state"] == "none")
        self.assertEqual(doctor("--user", without["principal"])[0], "agent")
        self.assertEqual(doctor("--user", "nobody@corp.test")[0], "user_present")
        text = self.environment.dtctl("doctor", "--user", "nobody@corp.test", check=False).stdout
        self.assertTrue(text.startswith("The user is in the org does not hold: nobody@corp.test "), text)
        for wrong in ([], ["--user", "a", "--device", "b"]):
            self.assertEqual(self.environment.dtctl("doctor", *wrong, check=False).returncode, 2)

    def test_revoke_by_user_is_idempotent(self):
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-1]
        user = self.environment.user(device["user"])
        first = json.loads(self.environment.dtctl("revoke", "--user", user["principal"], "--yes",
                                                  "--json").stdout)
        self.assertEqual(first["revoked"], 1)
        again = json.loads(self.environment.dtctl("revoke", "--user", user["principal"], "--yes",
                                                  "--json").stdout)
        self.assertEqual(again["revoked"], 0)

    def test_a_hold_is_released_and_a_computer_blocked(self):
        dtctl = self.environment.dtctl
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-4]
        path = self.environment.path_of(device["cert_pem"], "held.pem")
        serial = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.split("=")[1].strip()
        serial = serial.lower()
        self.assertIn("put on hold", dtctl("revoke", "--serial", serial, "--reason", "hold", "--yes").stdout)
        listed = json.loads(dtctl("certificates", "--json").stdout)["certificates"]
        record = next(one for one in listed if one["serial"] == serial)
        self.assertEqual(record["reason"], "REVOCATION_REASON_CERTIFICATE_HOLD")
        self.assertIn("on hold", dtctl("certificates", "--device", record["device_id"]).stdout)
        self.assertIn("was on hold before", dtctl("revoke", "--serial", serial, "--reason", "hold",
                                                  "--yes").stdout)
        self.assertIn("is good again", dtctl("certificates", "release", serial).stdout)
        self.assertIn("was not on hold", dtctl("certificates", "release", serial).stdout)

        refused = dtctl("device", "block", record["device_id"], check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("Nothing was done", refused.stderr)
        blocked = dtctl("device", "block", record["device_id"], "--reason", "key-compromise", "--yes")
        self.assertIn("is blocked; 1 certificate revoked", blocked.stdout)
        self.assertIn(record["device_id"], dtctl("device", "blocked").stdout)
        self.assertIn(serial, dtctl("device", "blocked-keys").stdout)
        final = dtctl("certificates", "release", serial, check=False)
        self.assertEqual(final.returncode, 1)
        self.assertIn("CONFLICTING_STATE", final.stderr)
        self.assertIn("may enroll again", dtctl("device", "unblock", record["device_id"]).stdout)
        slip = dtctl("device", "block", "S-1-5-21-9-9-9-9", "--yes", check=False)
        self.assertEqual(slip.returncode, 1)
        self.assertIn("no computer with SID S-1-5-21-9-9-9-9 has enrolled", slip.stderr)
        self.assertIn("--allow-unknown", slip.stderr)
        beforehand = dtctl("device", "block", "S-1-5-21-9-9-9-9", "--allow-unknown", "--yes")
        self.assertIn("is blocked; 0 certificates revoked", beforehand.stdout)
        self.assertIn("S-1-5-21-9-9-9-9", dtctl("device", "blocked").stdout)
        unknown = dtctl("revoke", "--device", "0a0b", "--yes", check=False)
        self.assertIn("no computer has device id 0a0b", unknown.stderr)

    def test_a_serial_may_be_written_as_openssl_does(self):
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-3]
        path = self.environment.path_of(device["cert_pem"], "colons.pem")
        text = run("openssl", "x509", "-in", path, "-noout", "-text").stdout
        serial = text.split("Serial Number:")[1].split()[0].upper()
        self.assertIn(":", serial)
        revoked = self.environment.dtctl("revoke", "--serial", serial, "--yes").stdout
        self.assertIn(serial.replace(":", "").lower(), revoked)

    def test_usage_errors_name_what_is_wrong(self):
        for arguments, named in ((["lgo", "--json"], "lgo"), (["device-trust", "onn"], "onn"),
                                 (["log", "--since", "1m", "--until", "15m"], "--since 1m"),
                                 (["log", "--limit", "0"], "--limit is 0, not 1..100000"),
                                 (["explain", ""], "code is empty"),
                                 (["log", "--type", "pki.cert.revoked"],
                                  '--type is "pki.cert.revoked", which is none that there is; '
                                  "did you mean pki.cert.revoke?"),
                                 (["people", "show", " "], "who is empty"),
                                 (["revoke", "--user", ""], "--user is empty"),
                                 (["revoke"], "one of --user, --serial, --device is missing"),
                                 (["app", "add", "x.xml", "--jsn"], "did you mean --json?"),
                                 (["rules", "set"], "2 arguments are missing")):
            result = self.environment.dtctl(*arguments, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(named, result.stderr)
        self.assertIn("device-trust", run(BIN / "dtctl", check=False).stdout)

    def test_an_app_comes_and_goes_with_its_rules(self):
        folder = self.environment.folder
        metadata = folder / "Time Sheet.xml"
        metadata.write_text(METADATA)
        added = self.environment.dtctl("app", "add", metadata, "--label", "Time sheet")
        self.assertIn("everybody may sign in", added.stderr)
        self.assertIn("https://time.example.com/acs", added.stdout)
        again = self.environment.dtctl("app", "add", metadata, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("--replace", again.stderr)

        # The rules of one app serve another; what get prints, set reads.
        rules = folder / "rules.json"
        rules.write_text(self.environment.dtctl("rules", "get", self.app_with_rules()).stdout)
        self.environment.dtctl("rules", "set", "time-sheet", rules)
        self.assertEqual(self.environment.dtctl("rules", "get", "time-sheet").stdout,
                         rules.read_text())
        replaced = json.loads(self.environment.dtctl("app", "add", metadata, "--replace",
                                                     "--json").stdout)
        self.assertGreater(len(replaced["rules"]), 1)  # They stay, and so does what is not given.
        self.assertEqual(replaced["label"], "Time sheet")
        relayed = json.loads(self.environment.dtctl(
            "app", "add", metadata, "--replace", "--default-relay-state", "/start", "--json").stdout)
        self.assertEqual(relayed["saml"]["default_relay_state"], "/start")
        renamed = json.loads(self.environment.dtctl(
            "app", "add", metadata, "--replace", "--label", "Hours", "--json").stdout)
        self.assertEqual((renamed["label"], renamed["saml"]["default_relay_state"]),
                         ("Hours", "/start"))
        self.assertIn("time-sheet", self.environment.dtctl("app", "list").stdout)

        asked = self.environment.dtctl("app", "remove", "time-sheet", check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("Nothing was done", asked.stderr)
        self.environment.dtctl("app", "remove", "time-sheet", "--yes")
        gone = self.environment.dtctl("app", "show", "time-sheet", check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("APP_UNKNOWN", gone.stderr)

    def test_what_a_saml_app_is_told_is_set(self):
        dtctl = self.environment.dtctl
        metadata = self.environment.folder / "settings-app.xml"
        metadata.write_text(METADATA.replace("time.example.com", "settings.example.com"))
        shown = dtctl("app", "add", metadata, "--name-id", "persistent", "--sign", "both").stdout
        self.assertRegex(shown, r"NameID +persistent")
        self.assertRegex(shown, r"signed +both, by the org's RSA key")
        self.assertRegex(shown, r"encrypted +no: its metadata has no key for it")
        shown = dtctl("app", "set", "settings-app", "--attribute", "mail=email", "--attribute",
                      "role=groups:CRM-", "--attribute", "tenant=text:42", "--key", "ecdsa").stdout
        self.assertRegex(shown, r"attributes +mail=email, role=groups:CRM-, tenant=text:42")
        self.assertRegex(shown, r"signed +both, by the org's ECDSA key")  # That stays.
        refused = dtctl("app", "set", "settings-app", "--attribute", "mail=colour", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("account-name", refused.stderr)
        refused = dtctl("app", "set", "settings-app", "--encryption", "always", check=False)
        self.assertIn("the metadata has no RSA key for it", refused.stderr)
        self.assertEqual(dtctl("app", "set", "settings-app", "--sign", "all", check=False).returncode, 2)

        metadata.write_text(metadata.read_text().replace("/acs", "/new-acs"))
        shown = dtctl("app", "refresh", "settings-app", "--metadata", metadata).stdout
        self.assertIn("/new-acs", shown)
        self.assertIn("tenant=text:42", shown)
        other = self.environment.folder / "other.xml"
        other.write_text(METADATA)
        refused = dtctl("app", "refresh", "settings-app", "--metadata", other, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("CONFLICTING_STATE", refused.stderr)
        exported = json.loads(dtctl("policy", "export").stdout)
        app = next(each for each in exported["apps"] if each["id"] == "settings-app")
        self.assertEqual(len(app["saml"]["settings"]["attributes"]), 3)
        dtctl("app", "remove", "settings-app", "--yes")

        self.assertIn("email", dtctl("name-id", "email").stdout)
        dtctl("name-id", "default")

    def test_saml_keys_follow_one_another(self):
        dtctl = self.environment.dtctl
        before = json.loads(dtctl("saml-key", "list", "--json").stdout)["keys"]
        self.assertEqual({key["state"] for key in before}, {"SAML_KEY_STATE_SIGNING"})
        new = json.loads(dtctl("saml-key", "rotate", "--json").stdout)["key"]["kid"]
        again = dtctl("saml-key", "rotate", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("activate", again.stderr)
        self.assertIn("published; signs from", dtctl("saml-key", "list").stdout)
        dtctl("saml-key", "activate", new)
        old = next(key["kid"] for key in before if key["kind"] == "SAML_KEY_KIND_RSA")
        self.assertRegex(dtctl("saml-key", "list").stdout, rf"{old} +RSA +retiring")
        self.assertIn("signs", dtctl("saml-key", "retire", new, "--yes", check=False).stderr)
        asked = dtctl("saml-key", "retire", old, check=False)
        self.assertEqual(asked.returncode, 2)
        dtctl("saml-key", "retire", old, "--yes")
        self.assertNotIn(old, dtctl("saml-key", "list").stdout)

    def test_an_app_whose_rules_are_refused_is_not_registered(self):
        folder = self.environment.run_dir.parent
        metadata = folder / "half-app.xml"
        metadata.write_text(METADATA.replace("time.example", "half.example"))
        rules = folder / "half-app.json"
        for bad, why in (('[{"name": "x", "wurst": 1}]', "wurst"),             # Refused by dtctl,
                         ('[{"name": "x", "active": true}]', "ACCESS_DENIED")):  # by the org.
            rules.write_text(bad)
            refused = self.environment.dtctl("app", "add", metadata, "--rules", rules, check=False)
            self.assertEqual(refused.returncode, 1, refused.stderr)
            self.assertIn(why, refused.stderr)
            self.assertNotIn("half-app", self.environment.dtctl("app", "list").stdout)

    def test_flags_go_before_the_environment(self):
        endpoints = str(self.environment.run_dir / "endpoints.json")
        elsewhere = ["--org-address", "127.0.0.1:1", "settings"]
        for command, env in ((elsewhere, {"DT_ENDPOINTS": endpoints}),
                             (["--endpoints", endpoints, *elsewhere], {})):
            result = subprocess.run([BIN / "dtctl", *command], env={**os.environ, **env}, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
            self.assertEqual(result.returncode, 2, result.stdout)
            self.assertEqual(result.stdout, "")

    def app_with_rules(self):
        return next(app["id"] for app in self.endpoints["apps"] if app["device_trust"] == "trusted")

    def test_every_change_is_a_version_and_the_way_back(self):
        app = self.app_with_rules()
        before = self.environment.dtctl("rules", "get", app).stdout
        versions = json.loads(self.environment.dtctl("rules", "history", app, "--json").stdout)
        was = versions["versions"][0]["number"]
        rules = json.loads(before)
        rules[0]["active"] = False
        changed = self.environment.folder / "changed.json"
        changed.write_text(json.dumps(rules))
        self.environment.dtctl("rules", "set", app, changed)
        listed = self.environment.dtctl("history", "list", "--limit", "1").stdout
        self.assertIn("admin:", listed)
        self.assertIn(app, listed)
        diff = self.environment.dtctl("rules", "diff", app, was, check=False)
        self.assertEqual(diff.returncode, 1)
        self.assertIn("active: true -> false", diff.stdout)
        unasked = self.environment.dtctl("rules", "rollback", app, was, check=False)
        self.assertEqual(unasked.returncode, 2)
        self.assertIn("Nothing was done", unasked.stderr)
        self.environment.dtctl("rules", "rollback", app, was, "--yes")
        self.assertEqual(self.environment.dtctl("rules", "get", app).stdout, before)
        self.assertEqual(self.environment.dtctl("rules", "diff", app, was).returncode, 0)
        unknown = self.environment.dtctl("history", "show", app, "9999", check=False)
        self.assertIn("VERSION_UNKNOWN", unknown.stderr)
        for verb in (("history", "list"), ("rules", "history")):
            typo = self.environment.dtctl(*verb, "mial", check=False)
            self.assertEqual(typo.returncode, 1)
            self.assertIn("there is no version of app mial", typo.stderr)

        self.environment.dtctl("org-name", "Example Inc.")
        self.assertIn("Example Inc.", self.environment.dtctl("settings").stdout)
        first = self.environment.dtctl("history", "diff", "settings", "1", check=False).stdout
        self.assertIn('display_name: none -> "Example Inc."', first)
        self.assertNotIn("changed_", first)
        # Attack 23: the way back would switch Device Trust off while rules use it.
        off = self.environment.dtctl("history", "rollback", "settings", "1", "--yes", check=False)
        self.assertEqual(off.returncode, 1)
        self.assertIn("SETTING_IN_USE", off.stderr)
        # It shows what would change: not who changed it, and when.
        self.assertIn("device_trust_enabled", off.stderr)
        self.assertNotIn("changed_", off.stderr)

    def test_a_policy_lives_in_a_file(self):
        folder = self.environment.folder
        policy = folder / "policy.json"
        self.environment.dtctl("policy", "export", policy)
        text = policy.read_text()
        self.assertEqual(self.environment.dtctl("policy", "export").stdout, text)
        self.assertEqual(self.environment.dtctl("policy", "diff", policy).returncode, 0)
        same = self.environment.dtctl("policy", "apply", policy)  # Asks nothing.
        self.assertIn("nothing is to be done", same.stderr)
        schemas = pathlib.Path(__file__).resolve().parent.parent / "docs" / "schemas"
        for name in ("policy", "cases"):
            printed = run(BIN / "dtctl", "policy", "schema", name).stdout
            self.assertEqual(printed, (schemas / f"{name}.schema.json").read_text())
        self.check_against_schema(json.loads(text), json.loads((schemas / "policy.schema.json").read_text()))

        # Attack 23: a document that would leave rules stranded; and all else that is wrong at once.
        wrong = json.loads(text)
        wrong["settings"]["device_trust_enabled"] = False
        wrong["settings"]["learn_more_url"] = "http://help"
        app = next(one for one in wrong["apps"] if len(one.get("rules", [])) > 2)
        app["rules"][0]["people"] = {"groups": ["Nobody knows them"]}
        refused_file = folder / "wrong.json"
        refused_file.write_text(json.dumps(wrong))
        refused = self.environment.dtctl("policy", "apply", refused_file, "--yes", check=False)
        self.assertEqual(refused.returncode, 1)
        for part in (f'wrong.json: app "{app["id"]}", rule 1', "Nobody knows them",
                     "wrong.json: settings", "Nothing was applied"):
            self.assertIn(part, refused.stderr)
        wrong = json.loads(text)
        wrong["settings"]["device_trust_enabled"] = False
        refused_file.write_text(json.dumps(wrong))
        off = self.environment.dtctl("policy", "apply", refused_file, "--yes", check=False)
        self.assertIn("can't be switched off while", off.stderr)

        # Other words for the same rules, and rules that decide otherwise.
        app = next(one for one in json.loads(text)["apps"] if len(one.get("rules", [])) > 2)["id"]
        changed = json.loads(text)
        rules = next(one for one in changed["apps"] if one["id"] == app)["rules"]
        rules.insert(0, {"name": "Nobody", "active": True, "people": {"everyone": True},
                         "location": {"kind": "KIND_IN_ZONES", "zones": ["nowhere"]},
                         "action": {"access": "ACCESS_DENIED"}})
        changed.setdefault("zones", []).append({"name": "nowhere", "cidr": ["203.0.113.9/32"]})
        new = folder / "new.json"
        new.write_text(json.dumps(changed))
        otherwise = self.environment.dtctl("policy", "diff", new, check=False).stdout
        self.assertIn(f"Sign-ins to app {app}:\n", otherwise)
        self.assertRegex(otherwise, r"→ DENIED: rule \d+ \".*\" before, rule 1 \"Nobody\" after\n"
                                    r" +for example .*203\.0\.113\.9")
        rules[0]["active"] = False
        new.write_text(json.dumps(changed))
        same = self.environment.dtctl("policy", "diff", new, check=False).stdout
        self.assertIn(f"Sign-ins to app {app}:\nEquivalent: every sign-in comes out as before.\n",
                      same)

        changed = json.loads(text)
        changed["zones"].append({"name": "annex", "cidr": ["10.77.0.0/16"]})
        changed["apps"][0]["label"] = "Changed by a file"
        new = folder / "new.json"
        new.write_text(json.dumps(changed))
        diff = self.environment.dtctl("policy", "diff", new, check=False)
        self.assertEqual(diff.returncode, 1)
        self.assertIn('+ zone "annex"', diff.stdout)
        offline = run(BIN / "dtctl", "policy", "diff", policy, new, check=False)
        self.assertEqual(offline.stdout, diff.stdout)
        dry = self.environment.dtctl("policy", "apply", new, "--dry-run")
        self.assertIn("Would change zones, app", dry.stdout)
        self.assertEqual(self.environment.dtctl("policy", "export").stdout, text)
        unasked = self.environment.dtctl("policy", "apply", new, check=False)
        self.assertEqual(unasked.returncode, 2)
        self.environment.dtctl("policy", "apply", new, "--yes")
        self.assertEqual(self.environment.dtctl("policy", "diff", new).returncode, 0)
        self.environment.dtctl("policy", "apply", policy, "--yes")
        self.assertEqual(self.environment.dtctl("policy", "export").stdout, text)

    def check_against_schema(self, document, schema):
        self.assertEqual(list(json_schema.problems(document, schema)), [])
        for change in ({"settings": {"device_trust": True}}, {"version": 2}, {"zones": {}},
                       {"apps": [{"id": "x", "lost_references": []}]}):
            self.assertTrue(list(json_schema.problems({**document, **change}, schema)), change)

    def test_a_policy_is_tested_without_an_org(self):
        folder = self.environment.folder
        policy = folder / "tested.json"
        policy.write_text(json.dumps({
            "version": 1, "settings": {"device_trust_enabled": True}, "zones": [],
            "apps": [{"id": "mail", "rules": [
                {"name": "trusted", "active": True, "platforms": ["PLATFORM_KIND_WINDOWS"],
                 "trust": "TRUST_CONDITION_TRUSTED", "action": {"access": "ACCESS_ALLOWED"}},
                {"name": "rest", "active": True, "action": {"access": "ACCESS_DENIED"}}]}]}))
        case = {"name": "a <trusted> laptop", "app": "mail", "user": "ada@corp.test",
                "platform": "PLATFORM_KIND_WINDOWS", "trust": "TRUST_STATE_TRUSTED",
                "outcome": "OUTCOME_ALLOWED", "rule": "trusted"}
        cases = folder / "cases.json"
        cases.write_text(json.dumps({"version": 1, "cases": [case]}))
        command = [BIN / "dtctl", "policy", "test", policy, cases]
        self.assertEqual(run(*command).stdout, "1 case passed, 0 failed\n")
        cases.write_text(json.dumps({"version": 1, "cases": [
            case, dict(case, name="no certificate", trust="TRUST_STATE_UNSPECIFIED"),
            dict(case, name="no app", app="wiki")]}))
        report = folder / "junit.xml"
        failed = run(*command, "--junit", report, check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("no certificate: expected allowed by 'trusted', was denied by 'rest': rule "
                      "'trusted': device trust: wants trusted", failed.stdout)
        self.assertIn("1 case passed, 2 failed", failed.stdout)
        suite = xml.etree.ElementTree.parse(report).getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")),
                         ("3", "1", "1"))
        self.assertEqual(suite[0].get("name"), "a <trusted> laptop")
        cases.write_text('{"version": 2, "cases": []}')
        self.assertIn("newer dtctl", run(*command, check=False).stderr)
        large = folder / "large.json"
        large.write_bytes(b" " * (10 << 20))
        refused = run(BIN / "dtctl", "policy", "test", large, cases, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("large.json", refused.stderr)

    def test_rules_that_are_wrong_are_named(self):
        app = self.app_with_rules()
        before = self.environment.dtctl("rules", "get", app).stdout
        path = self.environment.folder / "wrong.json"
        for text, named in (
                ('[{"name": "a", "trust": "TRUSTY"}]', 'rule 1 "a": trust: "TRUSTY" is none of'),
                ('[\n{"name" "a"}]', "line 2, column"),
                ('[{"name": "a", "active": true, "trust": "TRUST_CONDITION_TRUSTED",'
                 ' "platforms": ["PLATFORM_KIND_OTHER_MOBILE"],'
                 ' "action": {"access": "ACCESS_ALLOWED"}}]', "RULE_INVALID")):
            path.write_text(text)
            refused = self.environment.dtctl("rules", "set", app, path, check=False)
            self.assertEqual(refused.returncode, 1, text)
            self.assertIn(named, refused.stderr)
        self.assertEqual(self.environment.dtctl("rules", "get", app).stdout, before)

    def test_people_are_imported_deactivated_and_activated(self):
        path = self.environment.folder / "people.csv"
        path.write_text("sid,principal,display_name,groups\n"
                        "S-1-5-21-9-9-9-5001,newcomer@corp.test,New Comer,Sales;All staff\n")
        self.assertIn("1 added, 0 updated",
                      self.environment.dtctl("people", "import", path).stdout)
        self.assertIn("0 added, 1 updated",
                      self.environment.dtctl("people", "import", path).stdout)
        person = json.loads(self.environment.dtctl("people", "list", "newcomer",
                                                   "--json").stdout)["users"][0]
        self.assertEqual(sorted(person["groups"]), ["All staff", "Sales"])
        asked = self.environment.dtctl("people", "deactivate", "newcomer@corp.test", check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("New Comer (newcomer@corp.test)", asked.stderr)
        self.environment.dtctl("people", "deactivate", "newcomer@corp.test", "--yes")
        self.assertIn("deactivated", self.environment.dtctl("people", "show", person["sid"]).stdout)
        self.environment.dtctl("people", "activate", person["id"])
        self.assertIn("status         active",
                      self.environment.dtctl("people", "show", person["id"]).stdout)

    def test_an_import_answers_person_by_person(self):
        path = self.environment.folder / "mixed.csv"
        long_name = "\u0414" * 300
        path.write_text("sid,principal,display_name\n"
                        "S-1-5-21-9-9-9-5101,anna@corp.test,Anna\n"
                        "none,bert@corp.test,Bert\n"
                        f"S-1-5-21-9-9-9-5103,\u200eJ\u00dcRGEN@corp.test ,{long_name}\n")
        mixed = self.environment.dtctl("people", "import", path, check=False)
        self.assertEqual(mixed.returncode, 1)
        self.assertIn("2 added, 0 updated, 1 refused", mixed.stdout)
        self.assertIn("mixed.csv: line 3: bert@corp.test: a user needs a SID", mixed.stderr)
        self.assertIn("MALFORMED_REQUEST", mixed.stderr)
        shown = self.environment.dtctl("people", "show", " j\u00fcrgen@CORP.test").stdout
        self.assertIn(long_name[:256], shown)
        # The account was deleted and made anew: another SID, another person.
        path.write_text("sid,principal\nS-1-5-21-9-9-9-5201,anna@corp.test\n")
        anew = self.environment.dtctl("people", "import", path)
        self.assertIn("1 added", anew.stdout)
        self.assertIn("anna@corp.test is another account now", anew.stderr)
        self.assertIn("deactivated",
                      self.environment.dtctl("people", "show", "s-1-5-21-9-9-9-5101").stdout)

    def test_rules_name_people_who_are_there(self):
        user = self.endpoints["users"][0]
        group = user["groups"][0]
        app = self.endpoints["apps"][0]["id"]
        before = self.environment.folder / "before.json"
        before.write_text(self.environment.dtctl("rules", "get", app).stdout)
        rule = {"name": "some", "active": True, "action": {"access": "ACCESS_DENIED"}}
        path = self.environment.folder / "people.json"

        def set_people(people, *options, check=True):
            path.write_text(json.dumps([dict(rule, people=people)]))
            return self.environment.dtctl("rules", "set", app, path, *options, check=check)

        set_people({"groups": [group.swapcase()], "user_ids": [user["principal"].upper()]})
        kept = json.loads(self.environment.dtctl("rules", "get", app).stdout)[0]["people"]
        self.assertEqual(kept["groups"], [group])
        self.assertNotIn("@", kept["user_ids"][0])
        self.assertIn("is there", self.environment.dtctl("rules", "check").stderr)
        for unknown in ({"groups": ["No Such Group"]}, {"user_ids": ["nobody@corp.test"]},
                        {"everyone": True, "excluded_groups": ["No Such Group"]}):
            refused = set_people(unknown, check=False)
            self.assertEqual(refused.returncode, 1, unknown)
            self.assertIn("RULE_INVALID", refused.stderr)
            self.assertIn("rule 'some'", refused.stderr)
        taken = set_people({"groups": ["No Such Group"]}, "--allow-unknown")
        self.assertIn("warning: ", taken.stderr)
        check = self.environment.dtctl("rules", "check", check=False)
        self.assertEqual(check.returncode, 1)
        self.assertIn(f"{app}: rule 'some': people.groups: nobody of the org is in group "
                      "'No Such Group'", check.stdout)
        self.environment.dtctl("rules", "set", app, before)

    def test_rules_are_tried_before_they_are_saved(self):
        """what-if, rules analyze, compare and replay: of a file, and nothing is saved."""
        app, user = self.app_with_rules(), self.endpoints["users"][0]
        saved = self.environment.dtctl("rules", "get", app).stdout
        path = self.environment.folder / "draft.json"
        path.write_text(json.dumps([
            {"name": "managed", "active": True, "platforms": ["PLATFORM_KIND_WINDOWS"],
             "trust": "TRUST_CONDITION_TRUSTED", "action": {"access": "ACCESS_ALLOWED"}},
            {"name": "Sales from anywhere", "active": True, "people": {"groups": [user["groups"][0]]},
             "action": {"access": "ACCESS_ALLOWED"}},
            {"name": "rest", "active": True, "action": {"access": "ACCESS_DENIED"}},
            {"name": "forgotten", "active": True, "action": {"access": "ACCESS_ALLOWED"}}]))
        question = ["what-if", app, "--rules", path, "--user", user["principal"], "--platform", "windows"]
        answer = self.environment.dtctl(*question, "--certificate", "good").stdout
        self.assertIn('ALLOWED by rule 1 "managed"', answer)
        self.assertIn("rule 5  Default sign-on rule: matches, too late", answer)
        answer = json.loads(self.environment.dtctl(*question, "--json").stdout)["decision"]
        self.assertEqual((answer["rule_name"], len(answer["rules"])), ("Sales from anywhere", 5))
        answer = self.environment.dtctl("what-if", app, "--rules", path, "--platform", "ios").stdout
        self.assertIn('DENIED by rule 3 "rest"', answer)
        self.assertIn("wants everyone; is somebody\n", answer)
        for flag, value, code in (("--address", "10.0.0", 1), ("--user", "nobody@x.test", 1),
                                  ("--factor-age", "soon", 2), ("--password-age", "-5m", 2)):
            refused = self.environment.dtctl("what-if", app, flag, value, check=False)
            self.assertEqual(refused.returncode, code, refused.stdout)
        unknown = self.environment.dtctl("what-if", "mial", check=False)
        self.assertIn("the org has no app 'mial'  [APP_UNKNOWN]", unknown.stderr)
        for span in (("--since", "soon"), ("--since", "1h", "--until", "2h")):
            refused = self.environment.dtctl("rules", "replay", app, path, *span, check=False)
            self.assertEqual(refused.returncode, 2, refused.stderr)

        found = self.environment.dtctl("rules", "analyze", app, "--rules", path, check=False)
        self.assertEqual(found.returncode, 1, found.stderr)
        self.assertIn("rule 4 'forgotten' is never reached: rule", found.stdout)
        self.assertIn("rule 2 'Sales from anywhere' admits untrusted devices where rule 1 'managed'",
                      found.stdout)
        same = self.environment.folder / "same.json"
        same.write_text(saved)
        self.assertIn("Equivalent", self.environment.dtctl("rules", "compare", app, same).stdout)
        differ = self.environment.dtctl("rules", "compare", app, path, check=False)
        self.assertEqual(differ.returncode, 1)
        self.assertIn("for example", differ.stdout)

        url = next(one["sign_on_url"] for one in self.endpoints["apps"] if one["id"] == app)
        sign_in(Browser(self.environment.path_of(self.endpoints["ca_bundle"], "ca.pem")), url, user)
        shut = self.environment.folder / "shut.json"
        shut.write_text(json.dumps([{"name": "shut", "active": True, "action": {"access": "ACCESS_DENIED"}}]))
        replayed = self.environment.dtctl("rules", "replay", app, shut, "--since", "1h", "--limit", "3").stdout
        self.assertIn("replayed:", replayed)
        self.assertIn("by another rule", replayed)
        open_to_all = self.environment.folder / "open.json"
        open_to_all.write_text("[]")
        replayed = self.environment.dtctl("rules", "replay", app, open_to_all, "--since", "1h").stdout
        self.assertRegex(replayed, r"DENIED → ALLOWED  there is no rule '.*', and the default rule decides")
        self.assertEqual(self.environment.dtctl("rules", "get", app).stdout, saved)

    def test_a_file_of_more_than_a_call_may_hold_is_imported(self):
        path = self.environment.folder / "many.csv"
        path.write_text("sid,principal,display_name\n" + "".join(
            f"S-1-5-21-9-9-9-{7000 + n},many{n}@corp.test,{'x' * 150}\n" for n in range(8000)))
        self.assertGreater(path.stat().st_size, 1024 * 1024)
        self.assertIn("8000 added", self.environment.dtctl("people", "import", path).stdout)

    def test_a_second_factor_is_enrolled_and_reset(self):
        user = next(user for user in self.endpoints["users"] if not user["totp_secret"])
        enrolled = self.environment.dtctl("factor", "enroll", user["principal"])
        self.assertIn("otpauth://totp/", enrolled.stdout)
        replaced = self.environment.dtctl("factor", "enroll", user["principal"], check=False)
        self.assertEqual(replaced.returncode, 2)
        self.assertIn("Nothing was done", replaced.stderr)
        codes = [line.strip() for line in enrolled.stdout.splitlines() if line.count("-") == 3]
        self.assertEqual(len(set(codes)), 10)
        made = json.loads(self.environment.dtctl("factor", "recovery-codes", user["principal"], "--yes",
                                                 "--json").stdout)
        self.assertFalse(set(codes) & set(made["recovery_codes"]))
        standing = self.environment.dtctl("factor", "show", user["principal"]).stdout
        self.assertIn("10 recovery codes left, 0 wrong codes", standing)
        self.environment.dtctl("factor", "reset", user["principal"], "--yes")
        self.assertIn("no second factor", self.environment.dtctl("factor", "show", user["principal"]).stdout)
        shown = self.environment.dtctl("people", "show", user["principal"]).stdout
        self.assertRegex(shown, r"second factor +none")

    def test_sessions_are_bounded_listed_and_ended(self):
        bounded = self.environment.dtctl("sessions", "limits", "--lifetime", "480", "--idle", "30").stdout
        self.assertIn("sessions      480 min at most, 30 min without use", bounded)
        refused = self.environment.dtctl("sessions", "limits", "--idle", "1", check=False)
        self.assertIn("MALFORMED_REQUEST", refused.stderr)
        self.environment.dtctl("sessions", "limits", "--lifetime", "0", "--idle", "0")
        user = self.endpoints["users"][3]
        browser = Browser(self.environment.path_of(self.endpoints["ca_bundle"], "ca.pem"))
        page = sign_in(browser, self.endpoints["org_url"] + "/", user)
        self.assertIn("Your apps", page.body)
        listed = json.loads(self.environment.dtctl("sessions", "list", user["principal"],
                                                   "--json").stdout)
        self.assertEqual(len(listed["sessions"]), 1)
        self.assertIn("last used", self.environment.dtctl("sessions", "list", user["principal"]).stdout)
        ended = self.environment.dtctl("sessions", "end", user["principal"], "--all", "--yes").stdout
        self.assertIn("1 session ended", ended)
        again = browser.get(self.endpoints["org_url"] + "/sessions")
        self.assertIn('type="password"', again.body)

    def test_a_logo_is_a_png(self):
        png = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGMQUDAAAACkAGE0Zn1yAAAA"
                               "AElFTkSuQmCC")
        file = pathlib.Path(self.environment.folder) / "logo.png"
        file.write_bytes(png)
        self.assertIn("has this logo now", self.environment.dtctl("app", "logo", "mail", str(file)).stdout)
        file.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        refused = self.environment.dtctl("app", "logo", "mail", str(file), check=False)
        self.assertIn("not a PNG image", refused.stderr)
        self.assertIn("has no logo now", self.environment.dtctl("app", "logo", "mail", "--none").stdout)

    def test_roles_of_administrators_come_and_go(self):
        user = next(user for user in self.endpoints["users"] if not user["totp_secret"])
        granted = self.environment.dtctl("admin", "grant", user["principal"], "help-desk")
        self.assertIn("help-desk from the next sign-in on", granted.stdout)
        self.assertIn("no second factor", granted.stderr)
        self.assertRegex(self.environment.dtctl("admin", "list").stdout, r"help-desk +.*no second factor")
        unknown = self.environment.dtctl("admin", "grant", user["principal"], "god", check=False)
        self.assertEqual(unknown.returncode, 2)
        nobody = self.environment.dtctl("admin", "grant", "nobody@corp.test", "read-only", check=False)
        self.assertIn("USER_UNKNOWN", nobody.stderr)
        asked = self.environment.dtctl("admin", "revoke", user["principal"], check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("Nothing was done", asked.stderr)
        revoked = self.environment.dtctl("admin", "revoke", user["principal"], "--yes").stdout
        self.assertIn("administers nothing any more", revoked)
        again = self.environment.dtctl("admin", "revoke", user["principal"], "--yes").stdout
        self.assertIn("had no role", again)

    def test_iwas_zones_and_switches(self):
        self.assertIn("disabled", self.environment.dtctl("iwa", "disable", "iwa-1").stdout)
        self.assertIn("enabled", self.environment.dtctl("iwa", "enable", "iwa-1").stdout)
        self.assertIn("good", self.environment.dtctl("iwa", "list").stdout)
        self.assertIn("primary ones alone", self.environment.dtctl("iwa", "failover", "off").stdout)
        self.assertNotIn("primary ones", self.environment.dtctl("iwa", "failover", "on").stdout)
        unknown = self.environment.dtctl("iwa", "disable", "iwa-9", check=False)
        self.assertIn("IWA_UNKNOWN", unknown.stderr)

        # An IWA that nobody gave a domain vouches for nobody.
        before = json.loads(self.environment.dtctl("iwa", "list", "--json").stdout)["iwas"][0]
        self.assertRegex(self.environment.dtctl("iwa", "grant", "iwa-1", "--none").stdout, "nobody")
        granted = self.environment.dtctl("iwa", "grant", "iwa-1", *before["granted_domains"], "--json")
        self.assertEqual(json.loads(granted.stdout)["granted_domains"], before["granted_domains"])
        self.assertEqual(self.environment.dtctl("iwa", "grant", "iwa-1", check=False).returncode, 2)
        wrong = self.environment.dtctl("iwa", "grant", "iwa-1", "no domain", check=False)
        self.assertIn("MALFORMED_REQUEST", wrong.stderr)
        self.assertIn("→ iwa-1 may vouch for nobody",
                      self.environment.dtctl("log", "--type", "org.iwa.grant").stdout)

        zones = self.environment.folder / "zones.json"
        zones.write_text('[{"name": "office", "cidr": ["10.0.0.0/8"]}]')
        self.environment.dtctl("zones", "set", zones)
        self.assertEqual(json.loads(self.environment.dtctl("zones", "get").stdout),
                         json.loads(zones.read_text()))
        zones.write_text("[]")
        self.environment.dtctl("zones", "set", zones)

        self.assertIn("nobody can enroll", self.environment.dtctl("read-only", "on").stdout)
        self.assertIn("read-only     no", self.environment.dtctl("read-only", "off").stdout)
        self.assertIn("in force      no", self.environment.dtctl("capability", "off").stdout)
        self.assertIn("in force      yes", self.environment.dtctl("capability", "on").stdout)

    def test_certificates_of_a_person_are_listed(self):
        device = self.environment.device("enrolled")
        user = self.environment.user(device["user"])
        path = self.environment.path_of(device["cert_pem"], "listed.pem")
        serial = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.split("=")[1].strip()
        listed = self.environment.dtctl("certificates", "--user", user["principal"]).stdout
        self.assertIn(serial.lower(), listed)

    def test_every_verb_teaches_by_examples(self):
        verbs = [line.split()[0] for line in
                 run(BIN / "dtctl", "--help").stdout.split("Subcommands:")[1].splitlines() if line.strip()]
        self.assertGreater(len(verbs), 10)
        for verb in verbs:
            self.assertIn("Examples:", run(BIN / "dtctl", verb, "--help").stdout, verb)

    def test_unknown_names_say_so(self):
        for verb in (["revoke", "--user", "nobody@corp.test", "--yes"], ["explain", "ZZZZ-ZZZZ"],
                     ["revoke", "--serial", "0badc0de", "--yes"]):
            result = self.environment.dtctl(*verb, check=False)
            self.assertEqual(result.returncode, 1, verb)
            self.assertRegex(result.stderr, r"\[[A-Z_]+\]")

    def test_config_file_named_by_the_environment(self):
        config = self.environment.folder / "dtctl.toml"
        environment = {**os.environ, "DTCTL_CONFIG": str(config)}
        missing = run(BIN / "dtctl", "device-trust", "status", check=False, env=environment)
        self.assertEqual(missing.returncode, 2)
        self.assertIn(str(config), missing.stderr)
        config.write_text(f'endpoints = "{self.environment.run_dir}/endpoints.json"\n')
        status = run(BIN / "dtctl", "device-trust", "status", env=environment)
        self.assertIn("in force", status.stdout)
        config.write_text('endpoint = "typing.error"\n')
        junk = run(BIN / "dtctl", "device-trust", "status", check=False, env=environment)
        self.assertEqual(junk.returncode, 2)
        self.assertIn(f'DTCTL_CONFIG {config}: line 1: there is no option "endpoint"', junk.stderr)

    def test_no_server_is_named(self):
        arguments = ["--org-address", "127.0.0.1:1", "--ca-address", "127.0.0.1:1"]
        listener = self.endpoints["grpc"]["policy"]["internal"]
        for name, member in (("--deployment-ca", "ca_pem"), ("--cert", "cert_pem"),
                             ("--key", "key_pem")):
            arguments += [name, self.environment.path_of(listener[member], f"admin{name}.pem")]
        result = run(BIN / "dtctl", *arguments, "device-trust", "status", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("127.0.0.1:1", result.stderr)
        self.assertIn("DEPENDENCY_UNAVAILABLE", result.stderr)
        self.assertNotIn("{", result.stderr)  # No log line of a library.
        absent = run(BIN / "dtctl", *arguments[4:], "device-trust", "status", check=False)
        self.assertEqual(absent.returncode, 1)
        self.assertRegex(absent.stderr, "^dtctl: the address of the org is missing.*\n$")


if __name__ == "__main__":
    unittest.main()
