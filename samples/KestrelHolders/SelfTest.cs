using System.Net;
using System.Text.Json;

namespace Quire.Samples.KestrelHolders;

/// <summary>Uses the store as a client would, deletes all messages, and looks who still holds memory.</summary>
internal static class SelfTest
{
    private const int Messages = 8;

    public static async Task<int> RunAsync(Uri address)
    {
        using HttpClient client = new() { BaseAddress = address };
        byte[] sent = new byte[3000];
        Random.Shared.NextBytes(sent);
        for (int i = 0; i < Messages; i++)
        {
            using ByteArrayContent body = new(sent);
            (await client.PostAsync($"messages/{i}", body)).EnsureSuccessStatusCode();
            byte[] back = await client.GetByteArrayAsync($"messages/{i}");
            if (!back.AsSpan().SequenceEqual(sent))
            {
                return Failed($"message {i} came back with other bytes");
            }

            (await client.DeleteAsync($"messages/{i}")).EnsureSuccessStatusCode();
            if ((await client.GetAsync($"messages/{i}")).StatusCode != HttpStatusCode.NotFound)
            {
                return Failed($"message {i} is still there");
            }
        }

        Console.WriteLine($"{Messages} messages were stored, read and deleted. Who still holds memory?");
        Console.WriteLine();
        Console.WriteLine(await client.GetStringAsync("debug/holders?format=text"));
        using JsonDocument report = JsonDocument.Parse(await client.GetStringAsync("debug/holders?format=json"));
        JsonElement mine = report.RootElement.GetProperty("allocators").EnumerateArray().Single(static one => one.GetProperty("name").GetString() == "messages");
        JsonElement first = mine.GetProperty("holders").EnumerateArray().First();
        string site = first.GetProperty("site").GetString()!;
        long references = first.GetProperty("references").GetInt64();
        if (!site.StartsWith("Thumbnails.cs:", StringComparison.Ordinal) || references != Messages)
        {
            return Failed($"the first holder is {site} with {references} references");
        }

        Console.WriteLine($"The line to look at: {site}");
        return 0;
    }

    private static int Failed(string what)
    {
        Console.Error.WriteLine($"self-test: {what}");
        return 1;
    }
}
