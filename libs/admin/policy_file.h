// A policy as a file that lives under version control, and files of cases that test it:
//
//   {"version": 1, "settings": {…}, "zones": […], "apps": [{…, "rules": […]}]}
//   {"version": 1, "cases": [{…}]}
//
// In protobuf's JSON mapping, with the field names of devicetrust.org.v1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/policy_document.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

inline constexpr int kPolicyFileVersion = 1;
// An org takes 4 MiB of policy in one call, which are fewer octets than its JSON.
inline constexpr std::size_t kPolicyFileBytesMax = std::size_t{8} << 20;

// The same octets for the same policy.
std::string PolicyToJson(const org::v1::PolicyDocument& document);

// Reads the file's `text`. kInvalidArgument, naming `file`, the place in it and the remedy: no
// JSON, another version, a member that is unknown, missing or there twice, a value of another kind,
// an app, rule or zone twice, more than kPolicyFileBytesMax.
absl::StatusOr<org::v1::PolicyDocument> PolicyFromJson(const std::string& file,
                                                       std::string_view text);
absl::StatusOr<std::vector<org::v1::PolicyTestCase>> CasesFromJson(const std::string& file,
                                                                   std::string_view text);

// JSON Schemas (draft 2020-12) of both.
std::string PolicySchema();
std::string CasesSchema();

// "policy.json: app \"mail\", rule 2 \"Windows\": MESSAGE". What `problem` says of `document`.
std::string ProblemText(const std::string& file, const org::v1::PolicyDocument& document,
                        const org::v1::PolicyProblem& problem);

}  // namespace devicetrust::admin
