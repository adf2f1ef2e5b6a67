namespace Quire;

/// <summary>What happens once a process, when its first allocator is made: the event source and the meter appear, and a recording begins where the environment or AppContext asks for one.</summary>
internal static class TracingStart
{
    private static readonly Lock s_gate = new();
    private static bool s_isDone;
    private static bool s_isPrepared;

    /// <summary>
    /// Does it, the first time. Called by the constructor of the page allocator before it takes any lock, so that the very first reference is recorded; costs one load afterwards.
    /// Never throws: what is wrong with the settings is one line on the standard error, and the application goes on.
    /// </summary>
    internal static void Once()
    {
        // Happens before: whoever sees it done sees the recording's flags, since the store releases. Those who come while it is being done wait, or their first references would be missing.
        if (!Volatile.Read(ref s_isDone))
        {
            Do();
        }
    }

    /// <summary>Makes the event source and the meter, where an application records before it has an allocator.</summary>
    internal static void Prepare()
    {
        if (!Volatile.Read(ref s_isPrepared))
        {
            Volatile.Write(ref s_isPrepared, true);
            _ = QuireEventSource.Log;
            QuireMeter.Prepare();
        }
    }

    /// <summary>The options that the environment and AppContext give; null where they ask for no recording.</summary>
    /// <exception cref="FormatException">A setting is none.</exception>
    internal static PageTracingOptions? ReadSettings(Func<string, string?> environment, Func<string, object?> context) => TracingSettings.Read(key =>
    {
        string name = TracingSettings.EnvironmentName(key);
        if (environment(name) is { Length: > 0 } text)
        {
            return (name, text);
        }

        string contextName = TracingSettings.AppContextName(key);
        return context(contextName)?.ToString() is { Length: > 0 } contextText ? (contextName, contextText) : null;
    });

    private static void Do()
    {
        // Listeners run in here and at the end: with no lock held, for they may wait for a thread that makes an allocator.
        Prepare();
        PageTracingSession? session = null;
        string? wrong = null;
        lock (s_gate)
        {
            if (s_isDone)
            {
                return;
            }

            try
            {
                if (ReadSettings(Environment.GetEnvironmentVariable, AppContext.GetData) is { } options)
                {
                    session = PageTracing.StartUntold(options, "");
                }
            }
            catch (Exception failed)
            {
                wrong = failed.Message.ReplaceLineEndings(" ");
            }

            Volatile.Write(ref s_isDone, true);
        }

        session?.TellStarted();
        if (wrong is not null)
        {
            Complain(wrong);
        }
    }

    private static void Complain(string what)
    {
        try
        {
            Console.Error.WriteLine($"quire: {what} The application goes on without a recording.");
        }
#pragma warning disable CA1031 // The application may have put anything in the place of the standard error.
        catch (Exception)
#pragma warning restore CA1031
        {
            // Nobody reads the standard error: then nobody is told.
        }
    }
}
