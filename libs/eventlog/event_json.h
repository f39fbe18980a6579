// An event of the System Log in its one JSON form, that of docs/system-log.schema.json. Pure and
// thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"

namespace devicetrust::eventlog {

// One line, without its end. Members stand in the order of their names; of an inner object those
// that are empty are left out.
std::string EventJson(const org::v1::Event& event);

// The same without `chain` and `sequence`: what the chain's hash is over (RFC 8785 says how such
// text is made: members in order, no blanks, the shortest escapes).
std::string CanonicalJson(const org::v1::Event& event);

// "2026-06-01T08:00:00Z", with three, six or nine digits of a fraction where there is one.
std::string EventTime(const google::protobuf::Timestamp& at);

// What a person signs in with: the principal of a user. Empty for whatever else.
std::string_view AlternateId(std::string_view type, const std::string& display_name);

// "SUCCESS", "DENY"; empty for none.
std::string ResultName(org::v1::EventOutcome::Result result);

}  // namespace devicetrust::eventlog
