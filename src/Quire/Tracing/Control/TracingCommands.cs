using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Globalization;

namespace Quire;

/// <summary>Carries out what a tool asks of the event source from outside: start a recording, stop it.</summary>
/// <remarks>
/// <para>
/// The arguments of the enable command, each percent-encoded where it has other characters than letters, digits and <c>- _ . ~ /</c>:
/// </para>
/// <code>
/// path=…                    starts a recording there; with stacks, sample, filter, buffer, maximum, overflow, overwrite as in the environment
/// request=…                 with path: a name for it, which the events about this recording carry
/// duration=10               with path: it ends by itself after so many seconds
/// stop=…                    stops the recording with this name, and no other
/// </code>
/// <para>
/// <b>When such a recording ends</b>: after its duration; by <c>stop</c>; or when nobody has the source enabled any more, so that a tool that was killed
/// leaves nothing running. A disable command while others still listen stops nothing: the runtime does not tell whose it was. One started by the application
/// itself is never stopped by a command.
/// </para>
/// <para>
/// Commands arrive on a thread of the runtime, or of whoever enables a listener, under their locks. So they are only noted there, and carried
/// out in their order by a thread of their own (not the pool's: a starved pool may be what is being looked for).
/// </para>
/// </remarks>
internal static class TracingCommands
{
    internal const string Request = "request";
    internal const string Duration = "duration";
    internal const string StopRequest = "stop";

    private static readonly TimeSpan s_progressPeriod = TimeSpan.FromSeconds(1);
    private static readonly Queue<Action> s_queue = new();
    private static bool s_running;

    // These belong to the worker.
    private static PageTracingSession? s_session;
    private static long s_end;

    /// <summary>Notes a command; returns at once.</summary>
    internal static void Received(EventCommand command, IDictionary<string, string?>? arguments, bool anyoneLeft)
    {
        if (command == EventCommand.Disable)
        {
            if (!anyoneLeft)
            {
                Enqueue(static () => Stop(s_session));
            }
        }
        else if (arguments is { Count: > 0 })
        {
            // A copy: the dictionary is the caller's.
            Dictionary<string, string> copy = new(StringComparer.OrdinalIgnoreCase);
            foreach ((string key, string? value) in arguments)
            {
                copy[key] = TracingSettings.Decode(value ?? "");
            }

            if (copy.ContainsKey(TracingSettings.Path))
            {
                Enqueue(() => Start(copy));
            }
            else if (copy.TryGetValue(StopRequest, out string? request))
            {
                Enqueue(() => Stop(s_session?.Request == request ? s_session : null));
            }
        }
    }

    private static void Enqueue(Action action)
    {
        lock (s_queue)
        {
            s_queue.Enqueue(action);
            Monitor.Pulse(s_queue);
            if (!s_running)
            {
                s_running = true;
                new Thread(Work) { IsBackground = true, Name = "Quire control" }.Start();
            }
        }
    }

    private static void Work()
    {
        while (TryNext(out Action? action))
        {
            action?.Invoke();
            if (s_session is { IsRunning: false })
            {
                s_session = null;
            }
            else if (s_session is { } session && action is null)
            {
                if (Stopwatch.GetTimestamp() >= s_end)
                {
                    Stop(session);
                }
                else
                {
                    QuireEventSource.Log.RecordingProgress(session.Request, session.Path, session.Written, session.Lost);
                }
            }
        }
    }

    /// <summary>The next thing to do; null when it is time for a look at the recording. False when there is neither: the thread ends.</summary>
    private static bool TryNext(out Action? action)
    {
        lock (s_queue)
        {
            if (s_queue.Count == 0 && s_session is not null)
            {
                TimeSpan left = s_end == long.MaxValue ? s_progressPeriod : Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), s_end);
                Monitor.Wait(s_queue, left < TimeSpan.Zero ? TimeSpan.Zero : left < s_progressPeriod ? left : s_progressPeriod);
            }

            bool any = s_queue.TryDequeue(out action) || s_session is not null;
            s_running = any;
            return any;
        }
    }

    private static void Start(Dictionary<string, string> arguments)
    {
        string request = arguments.GetValueOrDefault(Request, "");
        string path = arguments[TracingSettings.Path];
        try
        {
            PageTracingOptions options = TracingSettings.Read(key => arguments.TryGetValue(key, out string? text) ? (key, text) : null)
                ?? throw new FormatException("path= is empty.");
            long end = EndOf(arguments);
            s_session = PageTracing.Start(options, request);
            s_end = end;
        }
        catch (Exception failed)
        {
            // Whatever it is, it is the asking tool's to show, and never a reason for the application to end.
            QuireEventSource.Log.RecordingFailed(request, path, failed.Message.ReplaceLineEndings(" "));
        }
    }

    private static long EndOf(Dictionary<string, string> arguments)
    {
        if (!arguments.TryGetValue(Duration, out string? text) || text.Length == 0)
        {
            return long.MaxValue;
        }

        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= 365 * 86400.0
            ? Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency)
            : throw new FormatException($"{Duration}={text}: it must be a number of seconds, at most a year.");
    }

    private static void Stop(PageTracingSession? session)
    {
        try
        {
            session?.Stop();
        }
        catch (Exception)
        {
            // RecordingStopped has told it, and the application is not to end for it.
        }
    }
}
