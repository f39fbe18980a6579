// The console's calls (json_api.h). A call that needs the second factor first asks for it, once,
// and is then made again.

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{reason?: string, message?: string, subject?: string, remedy?: string}} detail
   */
  constructor(status, detail) {
    super(detail.message || `The server answered ${status}.`);
    this.status = status;
    this.reason = detail.reason || "";
    this.subject = detail.subject || "";
    this.remedy = detail.remedy || "";
  }
}

/** @type {() => Promise<boolean>} */
let askForFactor = async () => false;

/**
 * Who asks for the second factor when a call needs it.
 * @param {() => Promise<boolean>} ask true: it was shown.
 */
export function onFactorNeeded(ask) {
  askForFactor = ask;
}

/**
 * @param {string} method
 * @param {object} request
 * @param {AbortSignal} [signal]
 */
async function post(method, request, signal) {
  let response;
  try {
    response = await fetch(`/console/api/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-dt-console": "1" },
      body: JSON.stringify(request),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {
      reason: "DEPENDENCY_UNAVAILABLE",
      message: "The org host does not answer.",
      remedy: "Check the connection; the page tries again when you do.",
    });
  }
  const text = await response.text();
  if (response.ok) return text;
  let detail = {};
  try {
    detail = JSON.parse(text);
  } catch {
    // A proxy's page: the status has to do.
  }
  throw new ApiError(response.status, detail);
}

/**
 * @param {string} method
 * @param {object} request
 * @param {AbortSignal} [signal]
 */
async function postWithFactor(method, request, signal) {
  try {
    return await post(method, request, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "FACTOR_NEEDED")
      throw error;
    if (!(await askForFactor())) throw error;
    return await post(method, request, signal);
  }
}

/** The full name of a method: "AppService/ListApps" is of the org. @param {string} name */
function fullName(name) {
  const ofCa =
    name.startsWith("CertificateAdminService/") ||
    name.startsWith("IssuerAdminService/");
  return `devicetrust.${ofCa ? "ca" : "org"}.v1.${name}`;
}

/**
 * One unary call.
 * @param {string} name "AppService/ListApps"
 * @param {object} [request]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function call(name, request = {}, signal = undefined) {
  return JSON.parse(await postWithFactor(fullName(name), request, signal));
}

/**
 * What a stream says in a while.
 * @param {string} name
 * @param {object} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<{messages: any[], ended: boolean}>}
 */
export async function listen(name, request, signal) {
  const text = await postWithFactor(fullName(name), request, signal);
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const last = lines.pop();
  return { messages: lines, ended: Boolean(last?.ended) };
}

/**
 * Of the console itself, which asks for no factor.
 * @param {"GetConsole" | "OpenConsole" | "CloseConsole"} method
 * @param {object} [request]
 * @returns {Promise<any>}
 */
export async function consoleCall(method, request = {}) {
  return JSON.parse(
    await post(`devicetrust.org.v1.ConsoleService/${method}`, request),
  );
}

/** What the administrator's role may call. @type {Set<string>} */
const methods = new Set();
/** @param {string[]} names */
export function setMethods(names) {
  methods.clear();
  for (const name of names) methods.add(name);
}
/** Whether the role may call it. @param {string} name "AppService/PutApp" */
export function may(name) {
  return methods.has(fullName(name));
}
