#include "agent/linux/event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "libs/base/utc_time.h"

namespace devicetrust::agent {
namespace {

// As syslog(3) counts them.
int PriorityOf(EventLevel level) {
  switch (level) {
    case EventLevel::kError:
      return 3;
    case EventLevel::kWarning:
      return 4;
    case EventLevel::kInformation:
      break;
  }
  return 6;
}

std::string_view LevelName(EventLevel level) {
  switch (level) {
    case EventLevel::kError:
      return "error";
    case EventLevel::kWarning:
      return "warning";
    case EventLevel::kInformation:
      break;
  }
  return "information";
}

// A field of the journal's own protocol; a line each, so that nobody adds a field by a message.
void AddField(std::string& datagram, std::string_view name, std::string value) {
  if (value.empty()) return;
  std::ranges::replace(value, '\n', ' ');
  datagram += fmt::format("{}={}\n", name, value);
}

}  // namespace

void EventLog::Write(const Event& event) const {
  WriteFile(event);
  WriteJournal(event);
}

void EventLog::WriteFile(const Event& event) const {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), error);
  struct stat found {};
  if (::stat(file_.c_str(), &found) == 0 && found.st_size > kEventFileBytesMax) {
    ::rename(file_.c_str(), (file_ + ".1").c_str());
  }
  nlohmann::ordered_json line = {{"time", FormatUtc(clock_.Now())},
                                 {"id", event.id},
                                 {"level", LevelName(event.level)},
                                 {"message", event.message}};
  if (!event.reason.empty()) line["reason"] = event.reason;
  if (!event.remedy.empty()) line["remedy"] = event.remedy;
  const std::string text =
      line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const int fd = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
  ::close(fd);
}

void EventLog::WriteJournal(const Event& event) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (journal_.empty() || journal_.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, journal_.c_str(), journal_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  std::string datagram;
  AddField(datagram, "MESSAGE", event.message);
  AddField(datagram, "PRIORITY", std::to_string(PriorityOf(event.level)));
  AddField(datagram, "SYSLOG_IDENTIFIER", "dt-agent");
  AddField(datagram, "DEVICE_TRUST_EVENT_ID", std::to_string(event.id));
  AddField(datagram, "DEVICE_TRUST_REASON", event.reason);
  AddField(datagram, "DEVICE_TRUST_REMEDY", event.remedy);
  ::sendto(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::close(fd);
}

}  // namespace devicetrust::agent
