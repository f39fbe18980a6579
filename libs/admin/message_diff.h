// What two messages of the contract differ in, for people: policies, apps, settings.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace devicetrust::admin {

// A difference a line, empty without any:
//
//   ~ app "mail": rule "Windows, trusted": action.prompt_for_factor: false -> true
//   + app "mail": rule "Guests" (2nd): {"active":true,...}
//   - zone "lab": {"cidr":["10.0.0.0/8"]}
//   ~ app "mail": order of rules: "a", "b" -> "b", "a"
//
// Elements of lists are matched by their id or name, so that one that comes in between changes no
// other. Both are of one type.
std::string DiffText(const google::protobuf::Message& before,
                     const google::protobuf::Message& after);

}  // namespace devicetrust::admin
