#include "libs/pki/pkcs11_module.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <vector>

namespace devicetrust::pki {
namespace {

// How CKR codes are called, of those that an operator may meet.
std::string NameOf(ck_rv_t result) {
  static constexpr std::pair<ck_rv_t, const char*> kNames[] = {
      {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR"},
      {CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED"},
      {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR"},
      {CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY"},
      {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"},
      {CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID"},
      {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED"},
      {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID"},
      {CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID"},
      {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"},
      {CKR_PIN_LOCKED, "CKR_PIN_LOCKED"},
      {CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED"},
      {CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"},
      {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"},
      {CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED"},
      {CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"},
      {CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED"}};
  const auto found = std::ranges::find(kNames, result, &std::pair<ck_rv_t, const char*>::first);
  return found == std::end(kNames) ? fmt::format("CKR 0x{:x}", result) : found->second;
}

// Where the file of a module may lie that is known by name alone.
std::vector<std::string> ModuleFiles(const Pkcs11Uri& uri) {
  if (!uri.module_path.empty()) return {uri.module_path};
  std::vector<std::string> files;
  for (const char* folder : {"/usr/lib/pkcs11/", "/usr/lib/softhsm/", "/usr/lib/", ""}) {
    files.push_back(folder + uri.module_name + ".so");
    files.push_back(fmt::format("{}lib{}.so", folder, uri.module_name));
  }
  return files;
}

}  // namespace

absl::Status Pkcs11Failed(std::string_view call, ck_rv_t result) {
  return absl::UnavailableError(
      fmt::format("the PKCS#11 token failed: {} answered {}", call, NameOf(result)));
}

absl::Status Pkcs11Refused(std::string message) {
  return absl::FailedPreconditionError("PKCS#11: " + std::move(message));
}

absl::StatusOr<Pkcs11Module*> LoadPkcs11Module(const Pkcs11Uri& uri) {
  if (uri.module_path.empty() && uri.module_name.empty()) {
    return Pkcs11Refused(
        "no module is named: give its path by --pkcs11-module, or by module-path in the"
        " URI");
  }
  static Mutex mutex;
  static auto& modules =
      *new std::map<std::string, Pkcs11Module*>();  // For the life of the process.
  const std::vector<std::string> files = ModuleFiles(uri);
  const MutexLock lock(mutex);
  Pkcs11Module*& module = modules[files.front()];
  if (module != nullptr) return module;
  void* library = nullptr;
  std::string why;
  for (const std::string& file : files) {
    library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
    if (why.empty()) why = dlerror();
  }
  if (library == nullptr) return Pkcs11Refused(fmt::format("the module cannot be loaded: {}", why));
  const auto list =
      reinterpret_cast<ck_rv_t (*)(ck_function_list**)>(dlsym(library, "C_GetFunctionList"));
  ck_function_list* api = nullptr;
  if (list == nullptr || list(&api) != CKR_OK || api == nullptr) {
    return Pkcs11Refused(fmt::format("{} is no PKCS#11 module", files.front()));
  }
  module = new Pkcs11Module();  // NOLINT: never unloaded, threads may be inside of it.
  module->api = api;
  return module;
}

InsidePkcs11::InsidePkcs11(Pkcs11Module& module) : module_(module) {
  const MutexLock lock(module.mutex);
  if (module.initialized_by != getpid()) {
    ck_c_initialize_args arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const ck_rv_t result = module.api->C_Initialize(&arguments);
    if (result != CKR_OK && result != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
      status_ = Pkcs11Failed("C_Initialize", result);
      return;
    }
    module.initialized_by = getpid();
    module.threads_inside = 0;  // A parent's are not here.
    ++module.generation;
  }
  ++module.threads_inside;
  generation_ = module.generation;
}

InsidePkcs11::~InsidePkcs11() {
  if (!status_.ok()) return;
  const MutexLock lock(module_.mutex);
  --module_.threads_inside;
}

bool BeginAnew(Pkcs11Module& module) {
  const MutexLock lock(module.mutex);
  if (module.threads_inside > 0) return false;
  if (module.initialized_by == getpid()) static_cast<void>(module.api->C_Finalize(nullptr));
  module.initialized_by = 0;
  return true;
}

}  // namespace devicetrust::pki
