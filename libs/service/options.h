// The options of a program, each declared once: from its declaration it is parsed (as a flag and
// from a file), printed, compared and written.
//
//   struct Config { std::string org = "acme"; std::vector<DirectoryConfig> directories; };
//   void Describe(Config& config, service::Options& options) {
//     options.Text("org", config.org, "NAME", "Id of the org");
//     options.Groups("directory", config.directories, "An Active Directory domain");
//   }
//
// A component's Describe() stands in its library, beside its Config, so that whoever starts the
// component (main, the simulator, a test) shares it. An option names files of secrets and never
// holds a secret: options may be printed and logged.
//
// Groups are for what a program has any number of. `items` is a vector of a struct that has a
// Describe(Item&, Options&) of its own in its namespace. In a file each item is a table, and as a
// flag, which may come again, an inline table; names inside are those of the item's options:
//
//   [[directory]]                                --directory '{url = "ldaps://dc1", ca = "ca.pem"}'
//   url = "ldaps://dc1"
//   ca = "ca.pem"
//
// Flags, or the file, replace the whole list that stood there before. Groups may hold groups.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/service/toml.h"

namespace devicetrust::service {

// A required option must be set to something that is not empty.
enum class Need : bool { kOptional, kRequired };

class Options;

// One option, bound to the member of a configuration that it stands for. Front ends and tests
// read this; who declares options needs the functions of Options alone.
struct Option {
  enum class Kind { kText, kChoice, kNumber, kSwitch, kTexts, kGroups };

  Kind kind = Kind::kText;
  std::string name;      // "org": --org NAME, and org = "NAME" in a file.
  std::string off_name;  // Of kSwitch: the flag that says false, if any; in a file `name = false`.
  std::string heading;
  std::string form;  // Stands for the value in --help: "FILE", "on|off", "1..825".
  std::string help;
  Need need = Need::kOptional;

  std::vector<std::string> choices;  // Of kChoice.
  std::int64_t min = 0;              // Of kNumber.
  std::int64_t max = 0;

  std::function<std::optional<TomlValue>()> get;  // Nothing: unset, which is not written.
  // Given a value of the option's kind that passes its checks.
  std::function<void(const TomlValue&)> set;
  std::function<Options(std::size_t)> item;  // Of kGroups: the options of that item.

  // The member: for tests that look for members without an option.
  std::span<const std::byte> member;
};

class Options {
 public:
  // Options declared from now on stand under it in --help and in files.
  void Heading(std::string heading);

  // `name` is that of flag and file; the variable holds the default and outlives this object.
  void Text(std::string name, std::string& value, std::string form, std::string help,
            Need need = Need::kOptional);
  void Texts(std::string name, std::vector<std::string>& values, std::string form,
             std::string help);
  void Choice(std::string name, std::string& value, std::vector<std::string> choices,
              std::string help);
  void OnOff(std::string name, std::optional<bool>& value, std::string help);
  // One flag, without a value, that says true.
  void Flag(std::string name, bool& value, std::string help);
  // Two flags, --on and --off.
  void Switch(std::string on, std::string off, bool& value, std::string help);
  template <std::integral T>
  void Number(std::string name, T& value, std::int64_t min, std::int64_t max, std::string help) {
    DT_CHECK(std::in_range<T>(min) && std::in_range<T>(max));
    AddNumber(std::move(name),
              {[&value] { return static_cast<std::int64_t>(value); },
               [&value](std::int64_t given) { value = static_cast<T>(given); }, MemberOf(value),
               min, max},
              std::move(help));
  }
  template <typename Item>
  void Groups(std::string name, std::vector<Item>& items, std::string help,
              Need need = Need::kOptional);

  // Sets what `text`, a TOML file, names; the rest stays. kInvalidArgument "line 3: …" for a name
  // that is none of the options, a value that is not one of its option, or no TOML; options of the
  // lines before are set by then.
  absl::Status ReadToml(std::string_view text);
  absl::Status ReadTable(const TomlTable& table);
  // Sets `option`, one of this object, from the values of its flag: one, or of kTexts and kGroups
  // each that came; of kSwitch "true" or "false". kInvalidArgument names the flag.
  absl::Status ReadFlag(const Option& option, std::span<const std::string> values) const;
  // kInvalidArgument names the flags of all required options that are not set; of a group's items
  // those of the first that lacks some.
  absl::Status CheckRequired() const;

  // All that is set, also what equals the default: headings as comments, then groups. ReadToml()
  // of the same options, freshly made, takes it back.
  std::string ToToml() const;
  TomlTable ToTable() const;

  const std::vector<Option>& all() const { return options_; }

 private:
  struct NumberMember {
    std::function<std::int64_t()> get;
    std::function<void(std::int64_t)> set;
    std::span<const std::byte> member;
    std::int64_t min;
    std::int64_t max;
  };

  template <typename T>
  static std::span<const std::byte> MemberOf(const T& value) {
    return std::as_bytes(std::span(&value, 1));
  }
  Option& Add(Option::Kind kind, std::string name, std::string form, std::string help);
  void AddNumber(std::string name, NumberMember number, std::string help);
  void AddGroups(std::string name, std::string help, std::span<const std::byte> member,
                 std::function<std::size_t()> size, std::function<void(std::size_t)> resize,
                 std::function<Options(std::size_t)> item);
  const Option* Find(std::string_view name) const;

  std::string heading_ = "Options";
  std::vector<Option> options_;
};

// The options of a configuration. `config` outlives them.
template <typename Config>
Options OptionsOf(Config& config) {
  Options options;
  Describe(config, options);
  return options;
}

template <typename Config>
std::string ToToml(Config config) {
  return OptionsOf(config).ToToml();
}

// Defaults, changed by `text`. Errors as ReadToml() and CheckRequired().
template <typename Config>
absl::StatusOr<Config> FromToml(std::string_view text) {
  Config config;
  Options options = OptionsOf(config);
  DT_RETURN_IF_ERROR(options.ReadToml(text));
  DT_RETURN_IF_ERROR(options.CheckRequired());
  return config;
}

// What differs between two sets of the same options, `directory[1].url: "a", "b"`; nothing stands
// for what is unset.
std::vector<std::string> Differences(const Options& left, const Options& right);

template <typename Item>
void Options::Groups(std::string name, std::vector<Item>& items, std::string help, Need need) {
  AddGroups(
      std::move(name), std::move(help), MemberOf(items), [&items] { return items.size(); },
      [&items](std::size_t size) { items.assign(size, Item()); },
      [&items](std::size_t at) { return OptionsOf(items[at]); });
  options_.back().need = need;
}

}  // namespace devicetrust::service
