// Reads a stream with AWS's SDK for JavaScript and prints what its tags say: one line a fragment number.
//   node get_media.mjs FOLDER_OF_NODE_MODULES ENDPOINT STREAM
import { createRequire } from "node:module";

const [folder, endpoint, stream] = process.argv.slice(2);
const require = createRequire(folder + "/");
const sdk = require("@aws-sdk/client-kinesis-video-media");
const client = new sdk.KinesisVideoMediaClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});

const answer = await client.send(
  new sdk.GetMediaCommand({ StreamName: stream, StartSelector: { StartSelectorType: "EARLIEST" } }),
);
if (!answer.$metadata.requestId) throw new Error("the SDK sees no request id");
const pieces = [];
for await (const piece of answer.Payload) pieces.push(piece);
const body = Buffer.concat(pieces);
const name = "AWS_KINESISVIDEO_FRAGMENT_NUMBER";
for (let at = body.indexOf(name); at >= 0; at = body.indexOf(name, at + 1)) {
  // A TagString follows: its id 44 87, a size of one byte, the digits.
  const tag = at + name.length;
  if (body[tag] !== 0x44 || body[tag + 1] !== 0x87) throw new Error("no TagString behind the name");
  console.log(body.toString("latin1", tag + 3, tag + 3 + (body[tag + 2] & 0x7f)));
}

const refused = async (input) => {
  try {
    await client.send(new sdk.GetMediaCommand(input));
  } catch (error) {
    return error;
  }
  throw new Error("not refused");
};
const from = (selector) => ({ StartSelectorType: selector });
const missing = await refused({ StreamName: "nobody", StartSelector: from("NOW") });
if (!(missing instanceof sdk.ResourceNotFoundException) || !missing.message || !missing.$metadata.requestId) throw missing;
const wrong = await refused({ StreamName: stream, StartSelector: from("CONTINUATION_TOKEN") });
if (!(wrong instanceof sdk.InvalidArgumentException)) throw wrong;
console.error("ok");
