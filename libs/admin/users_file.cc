#include "libs/admin/users_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "libs/admin/json_text.h"
#include "libs/base/encoding.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kGroups = "groups";
constexpr std::string_view kSecret = "totp_secret";
constexpr std::string_view kColumns =
    "sid, principal, account_name, display_name, email, given_name, surname, groups, totp_secret";

struct TextField {
  std::string_view name;
  std::string* (v1::UserImport::*field)();
};
constexpr std::array<TextField, 7> kTextFields = {{
    {"sid", &v1::UserImport::mutable_sid},
    {"principal", &v1::UserImport::mutable_principal},
    {"account_name", &v1::UserImport::mutable_account_name},
    {"display_name", &v1::UserImport::mutable_display_name},
    {"email", &v1::UserImport::mutable_email},
    {"given_name", &v1::UserImport::mutable_given_name},
    {"surname", &v1::UserImport::mutable_surname},
}};

const TextField* FindTextField(std::string_view name) {
  const auto* const found = std::find_if(kTextFields.begin(), kTextFields.end(),
                                         [name](const TextField& one) { return one.name == name; });
  return found == kTextFields.end() ? nullptr : found;
}

absl::Status NoColumn(std::string_view name) {
  return absl::InvalidArgumentError(
      fmt::format("there is no column \"{}\"; the columns are {}", name, kColumns));
}

// Groups are set elsewhere: CSV and JSON write lists in different ways.
absl::Status SetText(std::string_view name, const std::string& value, v1::UserImport& person) {
  if (const TextField* const field = FindTextField(name); field != nullptr) {
    *(person.*field->field)() = value;
    return absl::OkStatus();
  }
  if (name != kSecret) return NoColumn(name);
  const absl::StatusOr<Bytes> secret = Base32Decode(value);
  if (!secret.ok()) return absl::InvalidArgumentError("totp_secret is not Base32: A to Z, 2 to 7");
  person.set_totp_secret(ToString(*secret));
  return absl::OkStatus();
}

absl::Status CheckComplete(const v1::UserImport& person) {
  if (person.sid().empty()) return absl::InvalidArgumentError("the sid is missing");
  if (person.principal().empty()) return absl::InvalidArgumentError("the principal is missing");
  return absl::OkStatus();
}

absl::Status At(const std::string& place, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(fmt::format("{}: {}", place, std::string(status.message())));
}

absl::Status PersonFromJson(const ordered_json& object, v1::UserImport& person) {
  if (!object.is_object()) return absl::InvalidArgumentError("must be an object { … }");
  for (const auto& [name, value] : object.items()) {
    if (name != kGroups) {
      if (FindTextField(name) == nullptr && name != kSecret) return NoColumn(name);
      if (!value.is_string()) {
        return absl::InvalidArgumentError(fmt::format("{} must be text in quotes", name));
      }
      DT_RETURN_IF_ERROR(SetText(name, value.get<std::string>(), person));
      continue;
    }
    const bool names =
        value.is_array() &&
        std::all_of(value.begin(), value.end(), [](const auto& one) { return one.is_string(); });
    if (!names) return absl::InvalidArgumentError("groups must be a list of names");
    for (const ordered_json& group : value) person.add_groups(group.get<std::string>());
  }
  return CheckComplete(person);
}

absl::StatusOr<std::vector<v1::UserImport>> FromJson(const std::string& file, std::string_view text,
                                                     std::vector<std::string>& places) {
  DT_ASSIGN_OR_RETURN(const ordered_json list, ParseJsonArray(file, text));
  std::vector<v1::UserImport> people;
  for (const ordered_json& object : list) {
    const std::string place = fmt::format("{}: person {}", file, people.size() + 1);
    DT_RETURN_IF_ERROR(At(place, PersonFromJson(object, people.emplace_back())));
    places.push_back(place);
  }
  return people;
}

struct CsvLine {
  std::size_t number = 0;  // Of its first line in the file, from 1.
  std::vector<std::string> cells;
};

// RFC 4180: a quoted cell may hold commas, line ends and doubled quotes.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}

  bool AtEnd() const { return at_ >= text_.size(); }

  // kInvalidArgument: a quote that nothing closes.
  absl::StatusOr<CsvLine> Next() {
    CsvLine line{line_, {""}};
    while (!AtEnd()) {
      const char c = text_[at_++];
      if (c == '\n') {
        ++line_;
        break;
      }
      if (c == ',') {
        line.cells.emplace_back();
      } else if (c == '"' && line.cells.back().empty()) {
        DT_RETURN_IF_ERROR(Quoted(line));
      } else if (c != '\r') {
        line.cells.back() += c;
      }
    }
    return line;
  }

 private:
  absl::Status Quoted(CsvLine& line) {
    while (!AtEnd()) {
      const char c = text_[at_++];
      if (c == '"') {
        if (AtEnd() || text_[at_] != '"') return absl::OkStatus();
        ++at_;
      }
      if (c == '\n') ++line_;
      line.cells.back() += c;
    }
    return absl::InvalidArgumentError(
        fmt::format("line {}: a quote is opened and not closed", line.number));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

absl::Status PersonFromCells(const std::vector<std::string>& columns,
                             const std::vector<std::string>& cells, v1::UserImport& person) {
  if (cells.size() != columns.size()) {
    return absl::InvalidArgumentError(
        fmt::format("{} cells below {} columns; put a cell with a comma in quotes", cells.size(),
                    columns.size()));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    if (columns[i] != kGroups) {
      DT_RETURN_IF_ERROR(SetText(columns[i], cells[i], person));
      continue;
    }
    for (std::size_t begin = 0; begin <= cells[i].size();) {
      const std::size_t end = std::min(cells[i].find(';', begin), cells[i].size());
      if (end > begin) person.add_groups(cells[i].substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return CheckComplete(person);
}

absl::StatusOr<std::vector<v1::UserImport>> FromCsv(const std::string& file, std::string_view text,
                                                    std::vector<std::string>& places) {
  CsvReader reader(text);
  const absl::StatusOr<CsvLine> heading = reader.Next();
  if (!heading.ok()) return At(file, heading.status());
  for (const std::string& name : heading->cells) {
    const bool known = name == kGroups || name == kSecret || FindTextField(name) != nullptr;
    if (!known) return At(fmt::format("{}: line 1", file), NoColumn(name));
  }
  std::vector<v1::UserImport> people;
  while (!reader.AtEnd()) {
    const absl::StatusOr<CsvLine> line = reader.Next();
    if (!line.ok()) return At(file, line.status());
    if (line->cells.size() == 1 && line->cells.front().empty()) continue;  // An empty line.
    places.push_back(fmt::format("{}: line {}", file, line->number));
    DT_RETURN_IF_ERROR(
        At(places.back(), PersonFromCells(heading->cells, line->cells, people.emplace_back())));
  }
  return people;
}

}  // namespace

absl::StatusOr<std::vector<v1::UserImport>> UsersFromFile(const std::string& file,
                                                          std::string_view text,
                                                          std::vector<std::string>* places) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // A byte order mark.
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  std::vector<v1::UserImport> people;
  if (begin != std::string_view::npos) {
    std::vector<std::string> found;
    const bool json = text[begin] == '[' || text[begin] == '{';
    DT_ASSIGN_OR_RETURN(people, json ? FromJson(file, text, found) : FromCsv(file, text, found));
    if (places != nullptr) *places = std::move(found);
  }
  if (people.empty()) return absl::InvalidArgumentError(fmt::format("{}: there is nobody", file));
  return people;
}

}  // namespace devicetrust::admin
