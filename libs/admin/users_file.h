// Users to import, from a file: CSV as spreadsheets and `Export-Csv` write it, or JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// The file's columns or members are those of UserImport: sid and principal are required;
// account_name, display_name, email, given_name, surname, groups, totp_secret (Base32, as
// authenticator apps show it) may be left out or empty.
//
// CSV (RFC 4180): the first line names the columns; groups are separated by ';'. JSON, when the
// first character is '[' or '{': a list of objects; groups are a list.
//
// kInvalidArgument, naming `file`, line or number of the person, and column: a column that there
// is not (with those that there are), a line with more or fewer cells than columns, no sid or
// principal, a secret that is not Base32, nobody at all.
//
// `places`, unless null, becomes where each is: "people.csv: line 3", "people.json: person 2".
absl::StatusOr<std::vector<org::v1::UserImport>> UsersFromFile(
    const std::string& file, std::string_view text, std::vector<std::string>* places = nullptr);

}  // namespace devicetrust::admin
