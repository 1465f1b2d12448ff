/** Files that a person chooses: their size, and their content as the sandbox takes it. */

export const LARGEST = 10 * 1024 * 1024;
export const TOO_LARGE = "Files over 10 MiB cannot be sent.";

/** @typedef {{filename: string, content: string}} Sent a file, in base64 */

export const size = (bytes) => (bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`);

/** @param {File} file @returns {Promise<Sent>} */
export async function sent(file) {
  return { filename: file.name, content: await base64(file) };
}

/** @returns {Promise<string>} */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
