// The verbs of dtctl. Answers go to standard output, everything else to standard error. Exit codes:
// 0 done, 1 refused or failed, 2 bad usage.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>

#include "libs/admin/admin_client.h"
#include "libs/base/files.h"
#include "libs/base/status.h"

namespace CLI {
class App;
}

namespace devicetrust::ctl {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsageError = 2;

// What a verb does once its flags are read; returns the exit code.
using Action = std::function<int(admin::AdminClient&)>;

// The same of a verb that asks no deployment.
using LocalAction = std::function<int()>;

// Each declares verbs below `app`. The one that the command line names puts its action into
// `chosen`, which must outlive the parsing.
void AddAdminVerbs(CLI::App& app, Action& chosen);        // admin
void AddAppVerbs(CLI::App& app, Action& chosen);          // app, rules, zones
void AddAnalysisVerbs(CLI::App& app, Action& chosen);     // what-if, and of rules; after the apps'
void AddHistoryVerbs(CLI::App& app, Action& chosen);      // history, and of rules; after the apps'
void AddUserVerbs(CLI::App& app, Action& chosen);         // people, factor
void AddSettingsVerbs(CLI::App& app, Action& chosen);     // settings and its switches, iwa
void AddSessionVerbs(CLI::App& app, Action& chosen);      // sessions
void AddCertificateVerbs(CLI::App& app, Action& chosen);  // certificates, revoke, device
void AddIssuerVerbs(CLI::App& app, Action& chosen);       // issuers
void AddDoctorVerb(CLI::App& app, Action& chosen);        // doctor
void AddHookVerbs(CLI::App& app, Action& chosen);         // hooks
void AddSamlVerbs(CLI::App& app, Action& chosen);         // saml-key
void AddLogVerbs(CLI::App& app, Action& chosen, LocalAction& local);     // log, explain
void AddPolicyVerbs(CLI::App& app, Action& chosen, LocalAction& local);  // policy

// Prints the error with its reason and remedy; returns kFailed.
int Failed(const absl::Status& status);

// Prints "dtctl: WHAT." for a command line that makes no sense; returns kUsageError.
int Usage(std::string_view what);

// Prints "dtctl: WHAT." where an answer is empty; returns kDone.
int Nothing(std::string_view what);

// Prints `message` as JSON, or `text`; returns kDone.
int Print(bool json, const google::protobuf::Message& message, const std::string& text);

// Names the act and asks. kDone: go on; else the exit code, and nothing may be done. Without a
// terminal nobody is there to answer: it says what would be done, and that --yes does it.
int Confirm(const std::string& act, bool yes);

// Reads a file, or standard input when it is named "-". Errors: as devicetrust::ReadFile().
absl::StatusOr<std::string> ReadInput(const std::string& path,
                                      std::size_t bytes_max = kSmallFileBytesMax);
// How errors name it.
std::string InputName(const std::string& path);

}  // namespace devicetrust::ctl
