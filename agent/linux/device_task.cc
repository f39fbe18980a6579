#include "agent/linux/device_task.h"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "agent/proof.h"
#include "agent/remedies.h"
#include "libs/base/ascii.h"
#include "libs/base/file_lock.h"
#include "libs/base/files.h"
#include "libs/kerberos/credentials.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

constexpr std::chrono::seconds kAnswerWithin{60};
constexpr std::chrono::seconds kRequestWithin{5};
// Smaller ones, and that of nobody, are accounts of the system's.
constexpr uid_t kFirstUid = 1000;
constexpr uid_t kNobody = 65'534;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<std::string> ReadLine(int fd, std::chrono::milliseconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  std::string line;
  while (line.size() < kDeviceTaskLineMax) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd wait{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
      return absl::DeadlineExceededError("no line came in time");
    }
    char buffer[1024];
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got <= 0) return absl::UnavailableError("the connection ended before a line did");
    line.append(buffer, static_cast<std::size_t>(got));
    const std::size_t newline = line.find('\n');
    if (newline != std::string::npos) return line.substr(0, newline);
  }
  return absl::InvalidArgumentError("the line is too long");
}

absl::Status WriteLine(int fd, std::string text) {
  text += '\n';
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t put = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (put <= 0) return absl::UnavailableError("the other end is gone");
    sent += static_cast<std::size_t>(put);
  }
  return absl::OkStatus();
}

absl::Status SharedTerminal(const std::string& enrolled) {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_SHARED_TERMINAL,
                        fmt::format("This computer was enrolled for {}.", enrolled), enrolled,
                        std::string(RemedyFor(reason::v1::REASON_SHARED_TERMINAL)));
}

// Empty: the computer is nobody's yet.
absl::StatusOr<std::string> EnrolledUser(const Paths& paths) {
  const auto text = ReadFile(paths.enrolled_user());
  if (absl::IsNotFound(text.status())) return std::string();
  if (!text.ok()) return text.status();
  return text->substr(0, text->find('\n'));
}

absl::Status CheckSame(const std::string& enrolled, const std::string& user) {
  return EqualIgnoringCase(enrolled, user) ? absl::OkStatus() : SharedTerminal(enrolled);
}

// Whose computer it is about to be. While it is nobody's yet, others wait: each connection has a
// process of its own, and of two at once one is the first.
class UserClaim {
 public:
  // SHARED_TERMINAL: it is another's. kUnavailable: another one claims it.
  static absl::StatusOr<UserClaim> Begin(const Paths& paths, const std::string& user) {
    DT_ASSIGN_OR_RETURN(const std::string before, EnrolledUser(paths));
    if (!before.empty()) return Of(before, user);
    std::error_code error;
    std::filesystem::create_directories(paths.machine_state(), error);
    auto lock = FileLock::Acquire(paths.enrolled_user() + ".lock", "the computer's user");
    if (!lock.ok()) return absl::UnavailableError(lock.status().message());
    DT_ASSIGN_OR_RETURN(const std::string meanwhile, EnrolledUser(paths));
    if (!meanwhile.empty()) return Of(meanwhile, user);
    UserClaim claim;
    claim.lock_ = *std::move(lock);
    claim.file_ = paths.enrolled_user();
    claim.user_ = user;
    return claim;
  }

  // Theirs from now on; without this the computer stays whose it was.
  absl::Status Note() const {
    return file_.empty() ? absl::OkStatus() : WriteFileAtomically(file_, user_ + "\n", 0644);
  }

 private:
  static absl::StatusOr<UserClaim> Of(const std::string& enrolled, const std::string& user) {
    DT_RETURN_IF_ERROR(CheckSame(enrolled, user));
    return UserClaim();
  }

  FileLock lock_;
  std::string file_;  // Empty: it is theirs already.
  std::string user_;
};

absl::StatusOr<DeviceTokenRequest> ReadRequest(int fd) {
  DT_ASSIGN_OR_RETURN(const std::string line, ReadLine(fd, kRequestWithin));
  return ParseDeviceRequest(line);
}

absl::Status NotTheAccount(const std::string& user, uid_t uid) {
  const auto why = reason::v1::REASON_NOT_A_USER;
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, why,
                        fmt::format("The account with uid {} is not that of {}.", uid, user), user,
                        std::string(RemedyFor(why)));
}

std::optional<uid_t> UidOf(const std::string& account) {
  constexpr std::size_t kRoom = 64 * 1024;
  std::vector<char> room(kRoom);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(account.c_str(), &entry, room.data(), room.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return entry.pw_uid;
}

absl::Status CheckPeer(int fd, const std::string& user, const std::string& domain) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer)) {
    return absl::PermissionDeniedError("nobody knows who asks");
  }
  return CheckUserIs(user, domain, peer.uid);
}

absl::StatusOr<std::string> GetToken(int fd, const DeviceTokenRequest& request, const Paths& paths,
                                     Computer& computer, Services& services) {
  const std::optional<std::string> org_url = computer.RegistryValue(kOrgUrlValue);
  if (!org_url) return absl::FailedPreconditionError("the agent has no OrgURL");
  if (computer.domain().empty()) {
    const auto why = reason::v1::REASON_NOT_DOMAIN_JOINED;
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition, why,
                          "This computer is not joined to a domain, so it cannot prove itself.",
                          computer.name(), std::string(RemedyFor(why)));
  }
  DT_RETURN_IF_ERROR(CheckPeer(fd, request.user, computer.domain()));
  // Not the address that the user names: whom the computer proves itself to, the org says.
  DT_ASSIGN_OR_RETURN(const auto discovery, services.Discover(*org_url));
  DT_ASSIGN_OR_RETURN(const auto serving, IwasFor(*discovery, computer.domain()));
  const auto chosen = std::ranges::find_if(
      serving, [&](const IwaEntry* iwa) { return iwa->name == request.iwa_name; });
  if (chosen == serving.end()) {
    return absl::UnavailableError(
        fmt::format("the org names no IWA \"{}\" for {}", request.iwa_name, computer.domain()));
  }
  DT_ASSIGN_OR_RETURN(const UserClaim claim, UserClaim::Begin(paths, request.user));
  DT_ASSIGN_OR_RETURN(TokenAnswer answer,
                      Prove(computer, services, *discovery, **chosen,
                            {Account::kComputer, request.key_thumbprint, {}}, nullptr));
  DT_RETURN_IF_ERROR(claim.Note());
  return std::move(answer.token);
}

}  // namespace

// The name comes from a cache that its owner may write anything into. Who runs the device task may
// use the computer's keys without asking, and is whoever they say.
absl::Status CheckUserIs(const std::string& user, const std::string& domain, uid_t uid) {
  if (uid == ::geteuid()) return absl::OkStatus();
  if (uid < kFirstUid || uid == kNobody) return NotTheAccount(user, uid);
  if (UidOf(user) == uid) return absl::OkStatus();
  const std::size_t at = user.rfind('@');
  if (at == std::string::npos) return NotTheAccount(user, uid);
  const std::string name = user.substr(0, at);
  if (EqualIgnoringCase(user.substr(at + 1), domain) &&
      (UidOf(name) == uid || UidOf(LowerCase(name)) == uid)) {
    return absl::OkStatus();
  }
  const std::optional<std::string> account = kerberos::AccountOf(user);
  return account && UidOf(*account) == uid ? absl::OkStatus() : NotTheAccount(user, uid);
}

// One computer, one user: the first one.
absl::Status NoteEnrolledUser(const Paths& paths, const std::string& user) {
  DT_ASSIGN_OR_RETURN(const UserClaim claim, UserClaim::Begin(paths, user));
  return claim.Note();
}

absl::StatusOr<std::string> AskDeviceTask(const std::string& socket_path,
                                          const DeviceTokenRequest& request) {
  const auto unavailable = [&](const std::string& why) {
    return absl::UnavailableError(fmt::format("the device task ({}): {}", socket_path, why));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) return unavailable("the path is too long");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
  const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return unavailable(std::strerror(errno));
  }
  const absl::Status sent = WriteLine(fd.get(), FormatDeviceRequest(request));
  if (!sent.ok()) return unavailable(std::string(sent.message()));
  const auto line = ReadLine(fd.get(), kAnswerWithin);
  if (!line.ok()) return unavailable(std::string(line.status().message()));
  const auto answer = ParseDeviceAnswer(*line);
  return answer ? *answer : unavailable("its answer has neither a token nor an error");
}

absl::Status ServeDeviceToken(int fd, const Paths& paths, Computer& computer, Services& services) {
  const auto request = ReadRequest(fd);
  const auto token = request.ok() ? GetToken(fd, *request, paths, computer, services)
                                  : absl::StatusOr<std::string>(request.status());
  if (!token.ok()) {
    const auto detail = rpc::DetailOf(token.status());
    computer.WriteEvent({kEventRefused, EventLevel::kError,
                         "No device token: " + std::string(token.status().message()),
                         rpc::ReasonName(token.status()), detail ? detail->remedy() : ""});
  }
  DT_RETURN_IF_ERROR(WriteLine(fd, FormatDeviceAnswer(token)));
  return token.status();
}

}  // namespace devicetrust::agent
