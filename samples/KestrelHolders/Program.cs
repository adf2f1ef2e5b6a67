using Quire;
using Quire.Samples.KestrelHolders;

// A small store of messages on page memory: POST /messages/{name} keeps a body, GET gives it back, DELETE drops it. One handler forgets what it took; /debug/holders names its line.
//   dotnet run -c Release --project samples/KestrelHolders
//   dotnet run -c Release --project samples/KestrelHolders -- --self-test
bool selfTest = args.Contains("--self-test");
WebApplicationBuilder builder = WebApplication.CreateSlimBuilder([.. args.Where(static argument => argument != "--self-test")]);
builder.Logging.SetMinimumLevel(LogLevel.Warning);

// Kestrel's own buffers, and the application's: two allocators, both on the page.
builder.WebHost.UseQuireMemoryPool();
builder.Services.AddQuire(static options =>
{
    options.Name = "messages";
    options.LimitBytes = 64 << 20;
    options.Tracking = true;
});
builder.Services.AddHealthChecks().AddQuire();
builder.Services.AddSingleton<MessageStore>();
builder.Services.AddSingleton<Thumbnails>();
if (selfTest)
{
    builder.WebHost.UseUrls("http://127.0.0.1:0");
}
else if (string.IsNullOrEmpty(builder.Configuration["urls"]))
{
    builder.WebHost.UseUrls("http://127.0.0.1:5080");
}

await using WebApplication app = builder.Build();
app.MapPost("/messages/{name}", static async (HttpContext context, string name, MessageStore store, Thumbnails thumbnails) =>
{
    PageMemory body = await Body.ReadAsync(context.Request, store.Pool, context.RequestAborted);
    thumbnails.Make(name, body);
    store.Keep(name, body);
    context.Response.StatusCode = StatusCodes.Status204NoContent;
});
app.MapGet("/messages/{name}", static async (HttpContext context, string name, MessageStore store) =>
{
    if (!store.TryGet(name, out ReadOnlyPageMemory message))
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return;
    }

    // A reference of the response's own: a delete meanwhile takes nothing away from it.
    using (message)
    {
        context.Response.ContentLength = message.Length;
        await context.Response.Body.WriteAsync(message.Memory, context.RequestAborted);
    }
});
app.MapDelete("/messages/{name}", static (HttpContext context, string name, MessageStore store) =>
{
    context.Response.StatusCode = store.Drop(name) ? StatusCodes.Status204NoContent : StatusCodes.Status404NotFound;
});
app.MapHealthChecks("/health");
app.MapQuireHolders(configure: static options => options.AllowTracking = true);
await app.StartAsync();
Uri address = new(app.Urls.First());
if (selfTest)
{
    int status = await SelfTest.RunAsync(address);
    await app.StopAsync();
    return status;
}

Console.WriteLine($"""
    A store of messages listens on {address}. In another terminal:
      head -c 3000 /dev/urandom | curl --data-binary @- {address}messages/one
      curl -X DELETE {address}messages/one
      curl {address}debug/holders
    or open {address}debug/holders in a browser: the message is gone, and still somebody holds its page. Ctrl+C ends.
    """);
await app.WaitForShutdownAsync();
return 0;
