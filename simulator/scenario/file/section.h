// One mapping of a scenario file: its keys are known, and each value is of its kind or an error
// with its place.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "simulator/report/format.h"
#include "simulator/scenario/file/scenario_keys.h"
#include "simulator/scenario/file/words.h"
#include "simulator/scenario/file/yaml_tree.h"

namespace devicetrust::simulator {

// One mapping of the file, whose keys are known and there once.
class Section {
 public:
  static absl::StatusOr<Section> Of(const std::string& file, const YamlNode& node,
                                    const ScenarioSection& kind) {
    std::vector<std::string> names;
    for (const ScenarioKey& key : kind.keys) names.emplace_back(key.name);
    if (node.kind != YamlNode::Kind::kMap) {
      return ErrorAt(file, node.place, fmt::format("here stands {}, which has keys", kind.noun),
                     fmt::format("Keys of {}: {}.", kind.noun, fmt::join(names, ", ")));
    }
    for (const auto& [key, value] : node.members) {
      if (std::ranges::find(names, key.text) != names.end()) continue;
      return ErrorAt(
          file, key.place,
          fmt::format("{} has no \"{}\"{}", kind.noun, key.text, DidYouMean(key.text, names)),
          fmt::format("Keys of {}: {}.", kind.noun, fmt::join(names, ", ")));
    }
    for (const ScenarioKey& key : kind.keys) {
      if (!key.required || node.Find(key.name) != nullptr) continue;
      return ErrorAt(file, node.place, fmt::format("{} needs \"{}\"", kind.noun, key.name),
                     key.help);
    }
    return Section(file, node);
  }

  const YamlNode* Find(std::string_view key) const { return node_->Find(key); }
  FilePlace place() const { return node_->place; }
  const YamlNode& node() const { return *node_; }

  absl::Status Error(const YamlNode& node, std::string_view what, std::string_view remedy) const {
    return ErrorAt(*file_, node.place, what, remedy);
  }

  absl::Status Text(std::string_view key, std::string& value) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    if (node->kind != YamlNode::Kind::kText || node->text.empty()) {
      return Error(*node, fmt::format("{} is a text", key), "");
    }
    value = node->text;
    return absl::OkStatus();
  }

  absl::Status Bool(std::string_view key, bool& value) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    const bool is = node->kind == YamlNode::Kind::kText && !node->quoted &&
                    (node->text == "true" || node->text == "false");
    if (!is) return Error(*node, fmt::format("{} is true or false", key), "");
    value = node->text == "true";
    return absl::OkStatus();
  }

  template <typename Number>
  absl::Status Whole(std::string_view key, Number& value, std::uint64_t min,
                     std::uint64_t max) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    std::uint64_t number = 0;
    const std::string& text = node->text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is = node->kind == YamlNode::Kind::kText && !text.empty() && error == std::errc{} &&
                    end == text.data() + text.size();
    if (!is || number < min || number > max) {
      return Error(
          *node,
          fmt::format("{} is a whole number from {} to {}", key, Thousands(min), Thousands(max)),
          is ? "" : "Write it without commas and units.");
    }
    value = static_cast<Number>(number);
    return absl::OkStatus();
  }

  absl::Status Percent(std::string_view key, double& value) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    const std::optional<double> percent = PercentOf(*node);
    if (!percent.has_value()) {
      return Error(*node, fmt::format("{} is a share from 0% to 100%", key), "Write 80%, say.");
    }
    value = *percent;
    return absl::OkStatus();
  }

  static std::optional<double> PercentOf(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kText || !node.text.ends_with('%')) return std::nullopt;
    double number = 0;
    const char* const last = node.text.data() + node.text.size() - 1;
    const auto [end, error] = std::from_chars(node.text.data(), last, number);
    const bool good = error == std::errc{} && end == last && number >= 0 && number <= 100;
    return good ? std::optional(number) : std::nullopt;
  }

  absl::Status Length(std::string_view key, std::chrono::nanoseconds& value) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    const absl::StatusOr<std::chrono::nanoseconds> length = ParseLength(node->text);
    if (!length.ok()) return Error(*node, std::string(length.status().message()), "");
    value = *length;
    return absl::OkStatus();
  }

  absl::Status Rate(const YamlNode& node, std::string_view key, bool zero, double& value) const {
    constexpr double kRateMax = 100'000;
    double number = 0;
    const std::string& text = node.text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool good = node.kind == YamlNode::Kind::kText && error == std::errc{} &&
                      end == text.data() + text.size() && std::isfinite(number) &&
                      number <= kRateMax && (zero ? number >= 0 : number > 0);
    if (!good) {
      return Error(node,
                   fmt::format("{} is a rate a second, {} to {}", key, zero ? "from 0" : "above 0",
                               Thousands(100'000)),
                   "");
    }
    value = number;
    return absl::OkStatus();
  }

  // The words that `kind` may be.
  absl::Status Word(std::string_view key, const std::vector<std::string>& words,
                    std::string& value) const {
    const YamlNode* const node = Find(key);
    if (node == nullptr) return absl::OkStatus();
    if (node->kind != YamlNode::Kind::kText ||
        std::ranges::find(words, node->text) == words.end()) {
      return Error(
          *node,
          fmt::format("{} knows no \"{}\"{}", key, node->text, DidYouMean(node->text, words)),
          fmt::format("There are: {}.", fmt::join(words, ", ")));
    }
    value = node->text;
    return absl::OkStatus();
  }

 private:
  Section(const std::string& file, const YamlNode& node) : file_(&file), node_(&node) {}

  const std::string* file_;
  const YamlNode* node_;
};

}  // namespace devicetrust::simulator
