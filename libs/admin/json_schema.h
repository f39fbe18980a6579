// A JSON Schema (draft 2020-12) of a file that holds messages of the contract, made of their
// descriptors, so that it says what the reader takes.
#pragma once

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <vector>

namespace devicetrust::admin {

class SchemaBuilder {
 public:
  // Of a file with this title, whose "version" is `version`.
  SchemaBuilder(std::string title, int version);
  ~SchemaBuilder();

  // Fields that are only in answers: "Rule.is_default".
  void Hide(std::vector<std::string> fields);
  // The file's member `name` is a message of `type`, or a list of them.
  void Member(const std::string& name, const google::protobuf::Descriptor& type, bool list,
              bool required);
  std::string Take();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace devicetrust::admin
