// DynamoDB, S3 and SQS by the JavaScript SDK: each call that is allowed and one that is not.
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const [endpoint, queue] = process.argv.slice(2);
const settings = { endpoint, maxAttempts: 1 };
const dynamodb = new DynamoDBClient(settings);
const s3 = new S3Client({ ...settings, forcePathStyle: true });
const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });

const outcome = (promise) => promise.then(() => "ok", (error) => error.name);
const get = (table) => outcome(dynamodb.send(new GetItemCommand({ TableName: table, Key: { id: { S: "1" } } })));
const put = (key) => outcome(s3.send(new PutObjectCommand({ Bucket: "scripts", Key: key, Body: "some text" })));
const send = (url) => outcome(sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "hello" })));

console.log(JSON.stringify({
  "dynamodb": await get("js"), "dynamodb denied": await get("other"),
  "s3": await put("ok/1"), "s3 denied": await put("other"),
  "sqs": await send(queue), "sqs denied": await send(queue + "-other"),
}));
