namespace Quire.AspNetCore.Tests;

/// <summary>Waits for what other threads, or the other end of a connection, bring about.</summary>
internal static class Soon
{
    /// <summary>Returns once it holds, or after a minute: the caller asserts. Long, since a machine with other work to do is slow, and not wrong.</summary>
    internal static async Task Until(Func<bool> holds)
    {
        DateTime end = DateTime.UtcNow.AddMinutes(1);
        while (!holds() && DateTime.UtcNow < end)
        {
            await Task.Delay(20);
        }
    }
}
