// What a script finds in its environment beside what the SDKs read of it themselves
// (AWS_ENDPOINT_URL_KMS, AWS_REGION, the credentials of who owns the key).

/** The credentials of someone whom no policy allows anything. */
export const stranger = {
  accessKeyId: process.env.STRANGER_ACCESS_KEY_ID,
  secretAccessKey: process.env.STRANGER_SECRET_ACCESS_KEY,
};

/** Moves the server's clock. */
export async function sleep(days) {
  const answer = await fetch(`${process.env.KEYSTILE_ADMIN}/clock`, {
    method: "POST",
    body: JSON.stringify({ advance_seconds: days * 86400 }),
  });
  if (!answer.ok) throw new Error(`the clock: ${answer.status} ${await answer.text()}`);
}
