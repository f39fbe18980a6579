"""tools/contracts.py over small contracts: what it finds, and what it lets grow."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "devicetrust/toy/v1/toy.proto"
GOOD = """\
syntax = "proto3";
package devicetrust.toy.v1;
import "google/protobuf/timestamp.proto";

// Plays.
service ToyService {
  // Plays one game.
  rpc Play(PlayRequest) returns (stream PlayResponse);
}

message PlayRequest {
  oneof game {
    string chess = 1;
    Card card = 2;
  }
  map<string, int64> stakes = 3;
}

message PlayResponse {
  google.protobuf.Timestamp at = 1;
  repeated int32 scores = 2;
  optional string winner = 3;
  enum Mood {
    MOOD_UNSPECIFIED = 0;
    MOOD_GOOD = 1;
  }
  Mood mood = 4;
}

enum Card {
  CARD_UNSPECIFIED = 0;
  CARD_ACE_2 = 2;
}
"""


class Contracts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.proto = pathlib.Path(folder.name)
        self.write(GOOD)
        self.assertEqual(self.run_tool("--extend")[0], 0)

    def write(self, text, name=NAME):
        path = self.proto / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_tool(self, *arguments):
        done = subprocess.run([sys.executable, "-B", ROOT / "tools/contracts.py", *arguments,
                               self.proto], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def finds(self, before, after, *messages):
        """Each message is found once `before` reads `after`."""
        self.assertIn(before, GOOD)
        self.write(GOOD.replace(before, after))
        code, output = self.run_tool()
        self.assertEqual(code, 1, output)
        for message in messages:
            self.assertIn(message, output)

    def test_good_contracts_pass(self):
        self.assertEqual(self.run_tool(), (0, "contracts: ok (17 promises)\n"))

    def test_promises_are_readable(self):
        lines = (self.proto / "contracts.txt").read_text().splitlines()
        for line in ("devicetrust.toy.v1.PlayRequest 1 chess: string in oneof game",
                     "devicetrust.toy.v1.PlayRequest 3 stakes: map<string, int64>",
                     "devicetrust.toy.v1.PlayResponse 1 at: google.protobuf.Timestamp",
                     "devicetrust.toy.v1.PlayResponse 2 scores: repeated int32",
                     "devicetrust.toy.v1.PlayResponse 3 winner: optional string",
                     "devicetrust.toy.v1.PlayResponse.Mood 1 MOOD_GOOD",
                     "devicetrust.toy.v1.ToyService rpc Play(devicetrust.toy.v1.PlayRequest)"
                     " returns (stream devicetrust.toy.v1.PlayResponse)"):
            self.assertIn(line, lines)

    def test_a_removed_field_is_refused_and_says_how_to_go_on(self):
        self.finds("  map<string, int64> stakes = 3;\n", "", "gone or changed",
                   "devicetrust.toy.v1.PlayRequest 3 stakes", "deprecated = true")

    def test_retyped_renumbered_and_renamed_are_refused(self):
        for before, after in (("repeated int32 scores", "repeated int64 scores"),
                              ("repeated int32 scores", "int32 scores"),
                              ("scores = 2", "scores = 5"),
                              ("MOOD_GOOD = 1", "MOOD_GOOD = 2"),
                              ("CARD_ACE_2", "CARD_KING"),
                              ("optional string winner", "string winner"),
                              ("(stream PlayResponse)", "(PlayResponse)")):
            with self.subTest(after):
                self.finds(before, after, "gone or changed")
                self.assertEqual(self.run_tool("--extend")[0], 1)

    def test_a_new_field_must_be_promised(self):
        self.finds("CARD_ACE_2 = 2;", "CARD_ACE_2 = 2; CARD_KING = 3;",
                   "these are new", "devicetrust.toy.v1.Card 3 CARD_KING", "--extend")
        self.assertEqual(self.run_tool("--extend"), (0, "contracts: lines added to contracts.txt: 1\n"))
        self.assertEqual(self.run_tool()[0], 0)

    def test_missing_promises_are_found(self):
        (self.proto / "contracts.txt").unlink()
        self.assertIn("these are new", self.run_tool()[1])

    def test_style(self):
        for before, after, message in (
                ("CARD_ACE_2", "ACE", "ACE does not begin with CARD_"),
                ("CARD_UNSPECIFIED", "CARD_NONE", "not CARD_UNSPECIFIED"),
                ("MOOD_GOOD", "MOOD_good", "MOOD_good is not UPPER_SNAKE_CASE"),
                ("ToyService", "Toy", "service Toy does not end in Service"),
                ("// Plays one game.\n", "\n", "rpc ToyService.Play has no comment"),
                ("// Plays.\n", "\n", "service ToyService has no comment"),
                ("PlayRequest", "GameRequest", "GameRequest should be PlayRequest"),
                ("stream PlayResponse", "stream PlayRequest", "should be PlayResponse"),
                ("at = 1", "playedAt = 1", "playedAt is not lower_snake_case"),
                ("oneof game", "oneof Game", "Game is not lower_snake_case"),
                ("google.protobuf.Timestamp", "int64", "timestamp.proto is unused"),
                ('import "google', 'import public "google', "publicly"),
                ("toy.v1;", "toy;", "ends in no version"),
                ("toy.v1;", "game.v1;", "belongs into devicetrust/game/v1/"),
                ("enum Card {", "enum Card { option allow_alias = true; CARD_NONE = 0;",
                 "two names for one number")):
            with self.subTest(message):
                self.finds(before, after, message)

    def test_one_message_for_two_rpcs_is_found(self):
        self.finds("  // Plays one game.\n",
                   "  // Tries.\n  rpc Try(PlayRequest) returns (PlayResponse);\n"
                   "  // Plays one game.\n", "should be TryRequest", "is also of")

    def test_packages_that_import_each_other_are_found(self):
        self.write('syntax = "proto3";\npackage devicetrust.a.v1;\n'
                   'import "devicetrust/b/v1/b.proto";\nmessage A { devicetrust.b.v1.B b = 1; }\n',
                   "devicetrust/a/v1/a.proto")
        self.write('syntax = "proto3";\npackage devicetrust.b.v1;\n'
                   'import "devicetrust/a/v1/z.proto";\nmessage B { devicetrust.a.v1.Z z = 1; }\n',
                   "devicetrust/b/v1/b.proto")
        self.write('syntax = "proto3";\npackage devicetrust.a.v1;\nmessage Z {}\n',
                   "devicetrust/a/v1/z.proto")
        self.assertIn("package devicetrust.a.v1 imports itself by way of others",
                      self.run_tool()[1])


if __name__ == "__main__":
    unittest.main()
