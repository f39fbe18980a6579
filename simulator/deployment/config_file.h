// The file that a component is started with: its whole configuration, by its own declaration of
// options.
#pragma once

#include <string>

#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/service/options.h"

namespace devicetrust::simulator {

// Writes `config` to FOLDER/NAME.toml, readable by us alone, and returns the path: for --config,
// and for who wants to know what an embedded component runs with. kInternal when the file would
// not bring back `config`: then a member of it has no option, or not one that takes its value.
template <typename Config>
absl::StatusOr<std::string> WriteConfigFile(const Config& config, const std::string& folder,
                                            const std::string& name) {
  const std::string text = service::ToToml(config);
  DT_ASSIGN_OR_RETURN(const Config read, service::FromToml<Config>(text));
  if (!(read == config)) {
    return absl::InternalError(name +
                               ": a member of its configuration is lost on the way through " +
                               "its options: declare it in Describe()");
  }
  const std::string path = folder + "/" + name + ".toml";
  DT_RETURN_IF_ERROR(WriteFileAtomically(path, text));
  return path;
}

}  // namespace devicetrust::simulator
