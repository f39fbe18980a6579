// What an administrator chooses for an app, as flags and in the app.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace devicetrust::ctl {

struct AppOptions {
  std::string id;
  std::string file;
  std::string wsfed_file;
  std::string realm;
  std::vector<std::string> reply_urls;
  std::string token;  // "saml1.1", "saml2.0"; empty: not given.
  bool office365 = false;
  std::optional<std::string> label;
  std::string rules_file;
  std::optional<std::string> relay_state;  // Empty text: none.
  std::int64_t expected_version = 0;
  bool client_conditions = false;
  // Of SAML: a word of libs/admin/saml_words.h each; empty: not given.
  std::string name_id;
  std::string name_id_field;
  std::string sign;
  std::string key;
  std::string encryption;
  std::optional<std::vector<std::string>> attributes;
  std::string attribute_format = "basic";
  bool allow_unknown = false;
  bool replace = false;
  bool none = false;
  bool yes = false;
  bool json = false;
};

// Flags for a SAML app, but --attribute, which is for all. `metadata`: of SAML, which they need;
// null: any app.
void AddSamlFlags(CLI::App& verb, AppOptions& options, CLI::Option* metadata);

// Whether one of them was given.
bool HasSamlFlags(const AppOptions& options);

// What new metadata says nothing of: it stays as it was.
void KeepSettings(const org::v1::App& before, org::v1::App& app);

// Puts what was given into `app`. kInvalidArgument: an attribute is none; kFailedPrecondition: see
// admin::CheckEncryption().
absl::Status ChangeSettings(const AppOptions& options, org::v1::App& app);

}  // namespace devicetrust::ctl
