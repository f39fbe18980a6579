// What dtctl prints, as pure functions of what the services answered.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"

namespace devicetrust::ctl {

// Any message as one line of JSON, with the field names of the proto.
std::string ToJson(const google::protobuf::Message& message);

// One event in one line, without line end: time, type, outcome, who → what, reason, device, the
// code of a decision.
std::string EventLine(const org::v1::Event& event);

// `device-trust status`.
std::string SettingsText(const org::v1::OrgSettings& settings);

// A decision, rule by rule, with what to do next at its end.
std::string DecisionText(const org::v1::Decision& decision);

// "Ada Lovelace (ada@corp.test)".
std::string PersonText(const org::v1::User& user);

// "dtctl: MESSAGE", the reason's name, and on a line of its own the remedy.
std::string ErrorText(const absl::Status& status);

// Names of servers and people may hold anything: control bytes would move the cursor of a
// terminal, so they become '?'.
std::string Printable(std::string text);

}  // namespace devicetrust::ctl
