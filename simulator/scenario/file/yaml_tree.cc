#include "simulator/scenario/file/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

FilePlace PlaceOf(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Leaves the parser, which knows no other way to stop.
struct YamlRefusal : std::exception {
  YamlRefusal(FilePlace where, std::string said, std::string way_out)
      : place(where), what_is_wrong(std::move(said)), remedy(std::move(way_out)) {}
  FilePlace place;
  std::string what_is_wrong;
  std::string remedy;
};

// Builds the tree from the parser's events: its own tree forgets a key that comes twice, and
// follows anchors, of which a short text can make a billion nodes.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode Take() { return std::move(root_); }
  bool begun() const { return documents_ > 0; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw YamlRefusal(PlaceOf(mark), "a second document begins here",
                        "A scenario is one document: take the line --- away.");
    }
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    throw YamlRefusal(PlaceOf(mark), fmt::format("&{} is an anchor", name),
                      "Write the value out where it is needed.");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw YamlRefusal(PlaceOf(mark), "this refers to an anchor",
                      "Write the value out where it is needed.");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    YamlNode node;
    node.place = PlaceOf(mark);
    Put(std::move(node));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    YamlNode node;
    node.kind = YamlNode::Kind::kText;
    node.place = PlaceOf(mark);
    node.text = value;
    node.quoted = tag == "!";  // Of the parser, for whatever is in quotes or a block.
    Put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    YamlNode node;
    std::optional<YamlNode> key;  // Of a map: waits for its value.
  };

  static void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    throw YamlRefusal(PlaceOf(mark), "this has an anchor",
                      "Write the value out where it is needed.");
  }
  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw YamlRefusal(PlaceOf(mark), fmt::format("{} is a tag", tag), "Take it away.");
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (levels_.size() >= kYamlDepthMax) {
      throw YamlRefusal(PlaceOf(mark),
                        fmt::format("this is nested more than {} deep", kYamlDepthMax),
                        "A scenario has no use for that.");
    }
    Level& level = levels_.emplace_back();
    level.node.kind = kind;
    level.node.place = PlaceOf(mark);
  }

  void Close() {
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    Put(std::move(node));
  }

  void Put(YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (level.key.has_value()) {
      level.node.members.emplace_back(*std::move(level.key), std::move(node));
      level.key.reset();
    } else {
      PutKey(level, std::move(node));
    }
  }

  static void PutKey(Level& level, YamlNode node) {
    if (node.kind != YamlNode::Kind::kText) {
      throw YamlRefusal(node.place, "a key is a word", "Write NAME: VALUE.");
    }
    if (const YamlNode* const earlier = level.node.Find(node.text); earlier != nullptr) {
      throw YamlRefusal(
          node.place, fmt::format("\"{}\" is given twice", node.text),
          fmt::format("Its first value is in line {}: keep one of the two.", earlier->place.line));
    }
    level.key = std::move(node);
  }

  YamlNode root_;
  std::vector<Level> levels_;
  int documents_ = 0;
};

// JSON's grammar of numbers, which is that of YAML's core schema but for the exotic ones.
bool IsNumber(const std::string& text) {
  return !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) &&
         Json::accept(text);
}

Json JsonOf(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kText:
      if (!node.quoted && (node.text == "true" || node.text == "false")) return node.text == "true";
      if (!node.quoted && (node.text == "null" || node.text == "~")) return nullptr;
      if (!node.quoted && IsNumber(node.text)) return Json::parse(node.text);
      return node.text;
    case YamlNode::Kind::kList: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.push_back(JsonOf(item));
      return list;
    }
    case YamlNode::Kind::kMap: {
      Json object = Json::object();
      for (const auto& [key, value] : node.members) object[key.text] = JsonOf(value);
      return object;
    }
  }
  return nullptr;
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name.text == key) return &value;
  }
  return nullptr;
}

absl::Status ErrorAt(const std::string& file, FilePlace place, std::string_view what,
                     std::string_view remedy) {
  std::string text = fmt::format("{}:{}:{}: {}", file, place.line, place.column, what);
  if (!remedy.empty()) text += fmt::format("\n        {}", remedy);
  return absl::InvalidArgumentError(text);
}

absl::StatusOr<YamlNode> ParseYaml(const std::string& file, std::string_view text) {
  if (text.size() > kYamlBytesMax) {
    return ErrorAt(file, {1, 1}, "this is more than 1 MiB",
                   "Keep a policy in a file of its own and name it: policy: FILE");
  }
  // The library ends a text there without a word.
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    const auto line = static_cast<int>(std::count(
                          text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) +
                      1;
    return ErrorAt(file, {line, 1}, "there is a zero octet in this line", "Is it a text file?");
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
    }
    if (!builder.begun()) {
      return ErrorAt(file, {1, 1}, "the file is empty",
                     "dt-sim scenarios quick-start prints one to begin with.");
    }
    return builder.Take();
  } catch (const YamlRefusal& refusal) {
    return ErrorAt(file, refusal.place, refusal.what_is_wrong, refusal.remedy);
  } catch (const YAML::Exception& error) {
    const FilePlace place = error.mark.is_null() ? FilePlace{1, 1} : PlaceOf(error.mark);
    return ErrorAt(file, place, fmt::format("this is no YAML: {}", error.msg),
                   "Is a quote or a bracket missing, or the indentation uneven, or a tab in it?");
  }
}

std::string YamlToJson(const YamlNode& node) {
  return JsonOf(node).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace devicetrust::simulator
