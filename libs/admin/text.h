// What administrators read: pure functions of what the services answered. Names that somebody else
// chose go through Printable() (libs/base/printable.h).
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/client.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/people_sync.pb.h"
#include "devicetrust/org/v1/rules.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// Any message as one line of JSON, with the field names of the proto; hidden characters as \u202e.
std::string ToJson(const google::protobuf::Message& message);

std::string OnOff(bool on);                                    // "on", "off"
std::string Plural(std::size_t count, std::string_view noun);  // "1 rule", "2 rules"

// Rows below headings, in columns as wide as their widest cell. No cell of the last column is
// padded. Empty without rows.
std::string TableText(const std::vector<std::string>& headings,
                      const std::vector<std::vector<std::string>>& rows);

// The words of people for the enumerations of the contract: "Windows", "web browser".
std::string PlatformWord(org::v1::PlatformKind platform);
std::string ClientWord(org::v1::ClientKind kind);

// "Ada Lovelace (ada@corp.test)".
std::string PersonText(const org::v1::User& user);
// A user with all that the org knows, a fact a line.
std::string UserText(const org::v1::User& user);
std::string UsersTable(const std::vector<org::v1::User>& users);
std::string PeopleSyncText(const org::v1::PeopleSyncStatus& status);  // Of one domain.

// One event in one line, without line end: time, type, outcome, who → what, reason, device, the
// code of a decision.
std::string EventLine(const org::v1::Event& event);

// The switches of the org, what is in force, and what stands in the way of enrolling.
std::string SettingsText(const org::v1::OrgSettings& settings);

// An app as registered, then its rules, the default rule last.
std::string AppText(const org::v1::App& app);
// "mail: rule 'no': people.groups: nobody of the org is in 'Suport'".
std::string LostReferenceText(const org::v1::App& app, const org::v1::LostReference& lost);
std::string AppsTable(const std::vector<org::v1::App>& apps);
// One rule in one line: whom, where, with what it matches, and what follows.
std::string RuleLine(const org::v1::Rule& rule);

std::string IwasTable(const std::vector<org::v1::Iwa>& iwas);
std::string ZonesTable(const std::vector<org::v1::Zone>& zones);

// "PROGRAM: MESSAGE", the reason's name, and on lines of their own remedy and time to wait.
std::string ErrorText(const std::string& program, const absl::Status& status);
// The same in one line, for lists and reports: message, [REASON], remedy.
std::string OneLine(const absl::Status& status);

}  // namespace devicetrust::admin
