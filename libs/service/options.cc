#include "libs/service/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

#include "libs/base/encoding.h"

namespace devicetrust::service {
namespace {

constexpr std::size_t kShownBytesMax = 64;

std::string Shown(std::string_view text) { return JsonQuote(text.substr(0, kShownBytesMax)); }

absl::Status NotOf(const Option& option, std::string_view given) {
  return absl::InvalidArgumentError(
      fmt::format("{} is {}, not {}", option.name, given, option.form));
}

template <typename T>
absl::StatusOr<const T*> ValueOf(const Option& option, const TomlValue& value) {
  const T* const found = std::get_if<T>(&value);
  if (found != nullptr) return found;
  constexpr bool kHasNoQuotes = std::is_same_v<T, std::int64_t> || std::is_same_v<T, bool>;
  const bool quoted = kHasNoQuotes && std::holds_alternative<std::string>(value);
  return NotOf(option, ToToml(value).substr(0, kShownBytesMax) + (quoted ? " in quotes" : ""));
}

absl::Status SetGroups(const Option& option, const std::vector<TomlTable>& tables) {
  option.set(tables);
  for (std::size_t at = 0; at < tables.size(); ++at) {
    DT_RETURN_IF_ERROR(option.item(at).ReadTable(tables[at]));
  }
  return absl::OkStatus();
}

absl::Status Set(const Option& option, const TomlValue& value) {
  switch (option.kind) {
    case Option::Kind::kText:
      DT_RETURN_IF_ERROR(ValueOf<std::string>(option, value).status());
      break;
    case Option::Kind::kChoice: {
      DT_ASSIGN_OR_RETURN(const std::string* text, ValueOf<std::string>(option, value));
      if (std::ranges::count(option.choices, *text) == 0) return NotOf(option, Shown(*text));
      break;
    }
    case Option::Kind::kNumber: {
      DT_ASSIGN_OR_RETURN(const std::int64_t* number, ValueOf<std::int64_t>(option, value));
      const bool fits = option.min <= *number && *number <= option.max;
      if (!fits) return NotOf(option, fmt::format("{}", *number));
      break;
    }
    case Option::Kind::kSwitch:
      DT_RETURN_IF_ERROR(ValueOf<bool>(option, value).status());
      break;
    case Option::Kind::kTexts:
      DT_RETURN_IF_ERROR(ValueOf<std::vector<std::string>>(option, value).status());
      break;
    case Option::Kind::kGroups: {
      const auto* const none = std::get_if<std::vector<std::string>>(&value);
      if (none != nullptr && none->empty()) return SetGroups(option, {});
      DT_ASSIGN_OR_RETURN(const auto* tables, ValueOf<std::vector<TomlTable>>(option, value));
      return SetGroups(option, *tables);
    }
  }
  option.set(value);
  return absl::OkStatus();
}

absl::StatusOr<TomlValue> NumberFromFlag(const Option& option, const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return NotOf(option, Shown(text));
  return number;
}

absl::StatusOr<TomlValue> TablesFromFlags(const Option& option,
                                          std::span<const std::string> values) {
  const absl::StatusOr<TomlTable> table =
      ParseToml(fmt::format("list = [{}]", fmt::join(values, ", ")));
  if (!table.ok() || table->entries.size() != 1) {
    return NotOf(option, Shown(fmt::format("{}", fmt::join(values, " "))));
  }
  return table->entries.front().value;
}

absl::StatusOr<TomlValue> FromFlag(const Option& option, std::span<const std::string> values) {
  switch (option.kind) {
    case Option::Kind::kNumber:
      return NumberFromFlag(option, values.back());
    case Option::Kind::kSwitch:
      return values.back() == "true";
    case Option::Kind::kTexts:
      return std::vector<std::string>(values.begin(), values.end());
    case Option::Kind::kGroups:
      return TablesFromFlags(option, values);
    case Option::Kind::kText:
    case Option::Kind::kChoice:
      break;
  }
  return values.back();
}

// All at once: who gets them one by one starts a program as many times.
absl::Status Missing(const std::vector<const Option*>& options) {
  if (options.size() == 1) {
    const Option& only = *options.front();
    return absl::InvalidArgumentError(
        fmt::format("--{} is missing: {} ({})", only.name, only.form, only.help));
  }
  std::string message = fmt::format("{} required options are missing:", options.size());
  for (const Option* const option : options) {
    message += fmt::format("\n        {:<24} {}",
                           fmt::format("--{} {}", option->name, option->form), option->help);
  }
  return absl::InvalidArgumentError(message);
}

bool IsEmpty(const std::optional<TomlValue>& value) {
  if (!value.has_value()) return true;
  if (const auto* const text = std::get_if<std::string>(&*value)) return text->empty();
  const auto* const groups = std::get_if<std::vector<TomlTable>>(&*value);
  return groups != nullptr && groups->empty();
}

// Appends a document of `options` to `text`; tables stand at the end, where TOML wants them.
// `path` is that of the table that they belong to: "", "directory.".
void Write(const Options& options, const std::string& path, std::string& text) {
  std::string heading;
  for (const Option& option : options.all()) {
    const std::optional<TomlValue> value = option.get();
    if (!value.has_value() || option.kind == Option::Kind::kGroups) continue;
    if (path.empty() && heading != option.heading) {
      heading = option.heading;
      text += fmt::format("{}# {}\n", text.empty() ? "" : "\n", heading);
    }
    text += fmt::format("{} = {}\n", option.name, ToToml(*value));
  }
  for (const Option& option : options.all()) {
    if (option.kind != Option::Kind::kGroups) continue;
    const std::size_t count = std::get<std::vector<TomlTable>>(*option.get()).size();
    for (std::size_t at = 0; at < count; ++at) {
      text += fmt::format("{}[[{}{}]]\n", text.empty() ? "" : "\n", path, option.name);
      Write(option.item(at), path + option.name + ".", text);
    }
  }
}

// Each option that is set, items of groups by their place: `directory[0].url`, `"ldaps://…"`.
void Flatten(const TomlTable& table, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& flat) {
  for (const TomlEntry& entry : table.entries) {
    const auto* const items = std::get_if<std::vector<TomlTable>>(&entry.value);
    if (items == nullptr) {
      flat.emplace_back(path + entry.name, ToToml(entry.value));
      continue;
    }
    flat.emplace_back(path + entry.name, fmt::format("{} of them", items->size()));
    for (std::size_t at = 0; at < items->size(); ++at) {
      Flatten((*items)[at], fmt::format("{}{}[{}].", path, entry.name, at), flat);
    }
  }
}

}  // namespace

void Options::Heading(std::string heading) { heading_ = std::move(heading); }

Option& Options::Add(Option::Kind kind, std::string name, std::string form, std::string help) {
  DT_CHECK(Find(name) == nullptr);
  Option& option = options_.emplace_back();
  option.kind = kind;
  option.name = std::move(name);
  option.heading = heading_;
  option.form = std::move(form);
  option.help = std::move(help);
  return option;
}

void Options::Text(std::string name, std::string& value, std::string form, std::string help,
                   Need need) {
  Option& option = Add(Option::Kind::kText, std::move(name), std::move(form), std::move(help));
  option.need = need;
  option.get = [&value] { return TomlValue(value); };
  option.set = [&value](const TomlValue& given) { value = std::get<std::string>(given); };
  option.member = MemberOf(value);
}

void Options::Texts(std::string name, std::vector<std::string>& values, std::string form,
                    std::string help) {
  Option& option = Add(Option::Kind::kTexts, std::move(name), std::move(form), std::move(help));
  option.get = [&values] { return TomlValue(values); };
  option.set = [&values](const TomlValue& given) {
    values = std::get<std::vector<std::string>>(given);
  };
  option.member = MemberOf(values);
}

void Options::Choice(std::string name, std::string& value, std::vector<std::string> choices,
                     std::string help) {
  Text(std::move(name), value, fmt::format("{}", fmt::join(choices, "|")), std::move(help));
  options_.back().kind = Option::Kind::kChoice;
  options_.back().choices = std::move(choices);
}

void Options::OnOff(std::string name, std::optional<bool>& value, std::string help) {
  Option& option = Add(Option::Kind::kChoice, std::move(name), "on|off", std::move(help));
  option.choices = {"on", "off"};
  option.get = [&value]() -> std::optional<TomlValue> {
    if (!value.has_value()) return std::nullopt;
    return *value ? "on" : "off";
  };
  option.set = [&value](const TomlValue& given) { value = std::get<std::string>(given) == "on"; };
  option.member = MemberOf(value);
}

void Options::Switch(std::string on, std::string off, bool& value, std::string help) {
  Option& option = Add(Option::Kind::kSwitch, std::move(on), "true or false", std::move(help));
  option.off_name = std::move(off);
  option.get = [&value] { return TomlValue(value); };
  option.set = [&value](const TomlValue& given) { value = std::get<bool>(given); };
  option.member = MemberOf(value);
}

void Options::Flag(std::string name, bool& value, std::string help) {
  Switch(std::move(name), "", value, std::move(help));
}

void Options::AddNumber(std::string name, NumberMember number, std::string help) {
  Option& option = Add(Option::Kind::kNumber, std::move(name),
                       fmt::format("{}..{}", number.min, number.max), std::move(help));
  option.min = number.min;
  option.max = number.max;
  option.get = [get = std::move(number.get)] { return TomlValue(get()); };
  option.set = [set = std::move(number.set)](const TomlValue& given) {
    set(std::get<std::int64_t>(given));
  };
  option.member = number.member;
}

void Options::AddGroups(std::string name, std::string help, std::span<const std::byte> member,
                        std::function<std::size_t()> size, std::function<void(std::size_t)> resize,
                        std::function<Options(std::size_t)> item) {
  Option& option =
      Add(Option::Kind::kGroups, std::move(name), "{OPTION = VALUE, …}", std::move(help));
  option.get = [size = std::move(size), item] {
    std::vector<TomlTable> tables;
    for (std::size_t at = 0; at < size(); ++at) tables.push_back(item(at).ToTable());
    return TomlValue(std::move(tables));
  };
  option.set = [resize = std::move(resize)](const TomlValue& given) {
    resize(std::get<std::vector<TomlTable>>(given).size());
  };
  option.item = std::move(item);
  option.member = member;
}

const Option* Options::Find(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &*found;
}

absl::Status Options::ReadToml(std::string_view text) {
  DT_ASSIGN_OR_RETURN(const TomlTable table, ParseToml(text));
  return ReadTable(table);
}

absl::Status Options::ReadTable(const TomlTable& table) {
  for (const TomlEntry& entry : table.entries) {
    const Option* const option = Find(entry.name);
    const absl::Status status =
        option != nullptr ? Set(*option, entry.value)
                          : absl::InvalidArgumentError(fmt::format(
                                "there is no option {}; --help lists them", Shown(entry.name)));
    if (status.ok()) continue;
    const std::string message(status.message());
    if (entry.line == 0 || message.starts_with("line ")) return status;
    return absl::InvalidArgumentError(fmt::format("line {}: {}", entry.line, message));
  }
  return absl::OkStatus();
}

absl::Status Options::ReadFlag(const Option& option, std::span<const std::string> values) const {
  absl::StatusOr<TomlValue> value = FromFlag(option, values);
  const absl::Status status = value.ok() ? Set(option, *value) : value.status();
  if (status.ok()) return status;
  const std::string whole(status.message());
  std::string_view message = whole;
  constexpr std::string_view kOnlyLine = "line 1: ";  // Of an inline table.
  if (message.starts_with(kOnlyLine)) message.remove_prefix(kOnlyLine.size());
  if (message.starts_with(option.name))
    return absl::InvalidArgumentError(fmt::format("--{}", message));
  return absl::InvalidArgumentError(fmt::format("--{}: {}", option.name, message));
}

absl::Status Options::CheckRequired() const {
  std::vector<const Option*> missing;
  for (const Option& option : options_) {
    if (option.need == Need::kRequired && IsEmpty(option.get())) missing.push_back(&option);
  }
  if (!missing.empty()) return Missing(missing);
  for (const Option& option : options_) {
    if (option.kind != Option::Kind::kGroups) continue;
    const std::size_t count = std::get<std::vector<TomlTable>>(*option.get()).size();
    for (std::size_t at = 0; at < count; ++at) {
      const absl::Status status = option.item(at).CheckRequired();
      if (status.ok()) continue;
      return absl::InvalidArgumentError(
          fmt::format("--{}, number {}: {}", option.name, at + 1, std::string(status.message())));
    }
  }
  return absl::OkStatus();
}

std::string Options::ToToml() const {
  std::string text;
  Write(*this, "", text);
  return text;
}

TomlTable Options::ToTable() const {
  TomlTable table;
  for (const Option& option : options_) {
    if (auto value = option.get()) table.entries.push_back({option.name, *std::move(value), 0});
  }
  return table;
}

std::vector<std::string> Differences(const Options& left, const Options& right) {
  using Flat = std::vector<std::pair<std::string, std::string>>;
  Flat left_flat;
  Flat right_flat;
  Flatten(left.ToTable(), "", left_flat);
  Flatten(right.ToTable(), "", right_flat);
  const auto value_in = [](const Flat& flat, const std::string& name) {
    const auto found = std::ranges::find(flat, name, &Flat::value_type::first);
    return found == flat.end() ? std::string("nothing") : found->second;
  };
  std::vector<std::string> differences;
  for (const auto& [name, value] : left_flat) {
    const std::string other = value_in(right_flat, name);
    if (other != value) differences.push_back(fmt::format("{}: {}, {}", name, value, other));
  }
  for (const auto& [name, value] : right_flat) {
    if (value_in(left_flat, name) != "nothing") continue;
    differences.push_back(fmt::format("{}: nothing, {}", name, value));
  }
  return differences;
}

}  // namespace devicetrust::service
